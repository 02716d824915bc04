// What was set out to be reached, each with what was measured beside it.
import { medianWithin, show, spread } from '../results.mjs'
import { ON_REDIS } from './node-targets.mjs'

/**
 * @typedef {{ figure: string, goal: string, measured: string, met: boolean | null, outOfReach?: boolean }} Goal `met` is null where
 *   nothing was set out; `outOfReach`: not even the row by hand, which checks nothing, gets there
 * @typedef {object} Measured everything that bench:sdk measures
 */

const quantile = (numbers, part) => numbers.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(numbers.length * part) - 1)]
const megabytes = (bytes) => bytes / 1e6

export const samplesOf = ({ samples }, name) => samples.filter((sample) => sample.name === name)
export const ratios = (results, name, field) => spread(samplesOf(results, name).map((sample) => sample[field]))

const EMPTY = 'bare route behind an empty middleware, with a token'

/** Round by round, `fresh` against the empty middleware. */
function besideEmpty(results) {
  const of = (name) => samplesOf(results, name).map(({ cpuRatio }) => cpuRatio)
  const empty = of(EMPTY)
  return of('SDK, fresh').map((ratio, round) => ratio / empty[round])
}

/** A row's CPU: median (minimum-maximum), and where the median lies. */
function showCpu(results, name) {
  const { from, to } = medianWithin(samplesOf(results, name).map(({ cpuRatio }) => cpuRatio))
  return `${show(ratios(results, name, 'cpuRatio'), 2)} x, its median within ${from.toFixed(2)}-${to.toFixed(2)}`
}

/** `leastName`: the row by hand that does no more than must be done. Where that one is no lower than the goal, nothing can reach it here. */
const atMost = (results, figure, name, most, leastName) => ({
  figure,
  goal: `<= ${most} x CPU`,
  measured: showCpu(results, name),
  met: ratios(results, name, 'cpuRatio').median <= most,
  outOfReach: leastName !== undefined && ratios(results, leastName, 'cpuRatio').median > most,
})

const HEADER_MAP = 'by hand: header, Map, c.set'
const ES256_ONCE = 'ES256 by hand, nothing else checked, each token once'
const RPC_OBJECT = 'by hand: an RPC hop and one object call'

/** A floor by hand: nothing can be set out for it. */
const floor = (results, figure, name) => ({
  figure: `the least possible: ${figure}`,
  goal: 'none set',
  measured: showCpu(results, name),
  met: null,
})

/** Like with like: the CPU of a row of ours beside that of a peer's. */
function ahead(results, figure, ours, peer) {
  const [is, theirs] = [ours, peer].map((name) => ratios(results, name, 'cpuRatio'))
  return {
    figure,
    goal: `ahead of ${peer}`,
    measured: `${showCpu(results, ours)}; ${showCpu(results, peer)}`,
    met: is.median < theirs.median,
  }
}

function freshGoals(results) {
  const speed = (figure, name, leastName) => {
    const [is, least] = [name, leastName].map((row) => ratios(results, row, 'speedRatio'))
    return { figure, goal: '>= 0.95 of the bare route', measured: show(is, 2), met: is.median >= 0.95, outOfReach: least.median < 0.95 }
  }
  return [
    atMost(results, '`fresh`, repeated token, CPU (decides)', 'SDK, fresh', 1.1, EMPTY),
    speed('`fresh`, repeated token, throughput', 'SDK, fresh', EMPTY),
    {
      figure: 'the same against the bare route behind an empty middleware',
      goal: 'none set',
      measured: `${show(spread(besideEmpty(results)), 2)} x CPU; that middleware alone: ${showCpu(results, EMPTY)}`,
      met: null,
    },
    atMost(results, 'the same as one handler (`authenticated`)', 'SDK, fresh, one handler', 1.1, HEADER_MAP),
    speed('the same, throughput', 'SDK, fresh, one handler', HEADER_MAP),
    floor(results, 'the bare route, with a token sent along', 'bare Hono route, with a token'),
    floor(results, 'the header read, by hand', 'by hand: header'),
    floor(results, 'by hand: header, Map, c.set, one handler', HEADER_MAP),
  ]
}

function firstSightGoals(results) {
  const [middleware, handler] = ['SDK, fresh, first sight (ES256)', 'SDK, fresh, first sight (ES256), one handler']
  return [
    atMost(results, 'first sight of an ES256 token', middleware, 2.6, ES256_ONCE),
    atMost(results, 'the same as one handler (`authenticated`)', handler, 2.6, ES256_ONCE),
    atMost(results, 'the same, stretch', middleware, 2.3, ES256_ONCE),
    floor(results, ES256_ONCE, ES256_ONCE),
    ahead(results, 'first sight, both as middleware, CPU', middleware, 'hono/jwk, keys given, ES256, each token once'),
    ahead(results, 'first sight, both as one handler, CPU', handler, 'jose, remote JWKS, ES256, each token once'),
  ]
}

const liveGoals = (results) => [
  atMost(results, '`live`, repeated token, over the service binding', 'SDK, live', 3.6, RPC_OBJECT),
  floor(results, 'an RPC hop and one object call, by hand', RPC_OBJECT),
  atMost(results, '`live`, repeated token, with `sallyport/accounts`', 'SDK, live, sallyport/accounts', 3.6),
  atMost(results, "`live`, repeated token, in Sallyport's own Worker", "Sallyport's own /api/demo/live", 3.6),
]

function nodeGoals(results) {
  const ours = ratios(results, 'SDK on node:http, fresh, WebSocket', 'speedRatio')
  const peers = ratios(results, 'fast-jwt on fastify, cache', 'speedRatio')
  const onExpress = 'Node: the same framework for both (express), CPU'
  return [
    {
      figure: 'Node: throughput against bare `node:http`',
      goal: 'ahead of fast-jwt with its cache',
      measured: `${show(ours, 2)}; fast-jwt on fastify ${show(peers, 2)}`,
      met: ours.median > peers.median,
    },
    ahead(results, 'Node: the same framework for both (fastify), CPU', 'SDK on fastify, fresh, WebSocket', 'fast-jwt on fastify, cache'),
    samplesOf(results, ON_REDIS).length > 0
      ? ahead(results, onExpress, 'SDK on express, fresh, WebSocket', ON_REDIS)
      : { figure: onExpress, goal: `ahead of ${ON_REDIS}`, measured: 'not measured: no `redis-server` was found', met: null },
  ]
}

function delayGoals({ delays }) {
  const goals = []
  for (const [kind, seen] of Object.entries(delays)) {
    const fresh = seen.map(({ freshMs }) => freshMs)
    const pushed = seen.map(({ pushedMs }) => pushedMs)
    const liveAccepted = seen.filter(({ liveAccepted }) => liveAccepted).length
    const [freshP99, freshMax, pushedP99] = [quantile(fresh, 0.99), Math.max(...fresh), quantile(pushed, 0.99)]
    const what = `${seen.length} x \`${kind}\``
    goals.push(
      {
        figure: `${what}: \`live\` after the acknowledgement`,
        goal: '0 accepted',
        measured: `${liveAccepted} accepted`,
        met: liveAccepted === 0,
      },
      {
        figure: `${what}: \`fresh\`, p50 / p99 / max`,
        goal: 'p99 <= 1.1 s, max <= 5 s',
        measured: `${[quantile(fresh, 0.5), freshP99, freshMax].map((ms) => (ms / 1000).toFixed(2)).join(' / ')} s`,
        met: freshP99 <= 1100 && freshMax <= 5000,
      },
      {
        figure: `${what}: WebSocket, p50 / p99 / max`,
        goal: 'p99 < 100 ms',
        measured: `${[quantile(pushed, 0.5), pushedP99, Math.max(...pushed)].map((ms) => ms.toFixed(1)).join(' / ')} ms`,
        met: pushedP99 < 100,
      },
    )
  }
  return goals
}

function callGoal({ calls: { seconds, requests, jwks, revocations, check } }) {
  return {
    figure: 'requests to the issuer per verified request',
    goal: '0 beyond one poll a second',
    measured: `${requests} requests in ${seconds.toFixed(1)} s: ${revocations} polls, ${jwks} for keys, ${check} checks`,
    met: revocations <= Math.ceil(seconds) && jwks === 0 && check === 0,
  }
}

function denialGoals({ denials: { count, delta, none, many, heapBytes, snapshotBytes, deltaBytes } }) {
  const most = (figure, goal, is, digits, unit, limit) => ({
    figure: `${count.toLocaleString('en')} denials: ${figure}`,
    goal,
    measured: `${show(is, digits)} ${unit}`,
    met: is.median <= limit,
  })
  const cost = { none: spread(none.cpuMs.map((ms) => ms * 1000)), many: spread(many.cpuMs.map((ms) => ms * 1000)) }
  return [
    most('view', '<= 48 MB', spread([megabytes(heapBytes)]), 1, 'MB', 48),
    most('one look-up', '<= 200 ns', spread(many.lookUpNs), 0, 'ns', 200),
    most('snapshot on the wire', '<= 10 MB', spread([megabytes(snapshotBytes)]), 2, 'MB', 10),
    most(`a delta of ${delta}`, '<= 20 kB', spread([deltaBytes / 1000]), 2, 'kB', 20),
    most('build', '<= 1 s', spread(many.buildMs), 0, 'ms', 1000),
    {
      figure: `cost of a \`fresh\` request, 0 -> ${count.toLocaleString('en')} denials`,
      goal: 'flat',
      measured: `${show(cost.none, 0)} -> ${show(cost.many, 0)} us CPU; a check ${show(spread(none.againNs), 1)} -> ${show(spread(many.againNs), 1)} ns`,
      met: cost.many.median <= cost.none.median * 1.1 && spread(many.againNs).median <= spread(none.againNs).median + 20,
    },
  ]
}

function singleGoals({ singles: { count, rowsWritten, snapshotBytes, addUs, callMs, snapshotMs, buildMs } }) {
  const figure = (what) => `${count.toLocaleString('en')} denials added one by one: ${what}`
  const [rows, build] = [rowsWritten / count, spread(buildMs)]
  return [
    {
      figure: figure('snapshot on the wire'),
      goal: '<= 10 MB',
      measured: `${megabytes(snapshotBytes).toFixed(2)} MB`,
      met: snapshotBytes <= 10e6,
    },
    { figure: figure('rows written for each'), goal: '<= 1.01', measured: rows.toFixed(4), met: rows <= 1.01 },
    { figure: figure('build'), goal: '<= 1 s', measured: `${show(build, 0)} ms`, met: build.median <= 1000 },
    {
      figure: figure('the list, for each; a call to it and its acknowledgement; a whole snapshot over HTTP'),
      goal: 'none set',
      measured: `${show(spread(addUs), 1)} us; ${show(spread(callMs), 2)} ms; ${show(spread(snapshotMs), 0)} ms`,
      met: null,
    },
  ]
}

function memoryGoals({ memory: { tokens, heapMB, flood } }) {
  const [empty, ...full] = heapMB
  const { bad, accepted, good, stillRemembered, beforeMB, afterMB } = flood
  return [
    {
      figure: `${tokens.toLocaleString('en')} distinct tokens: heap after each tenth`,
      goal: 'bounded',
      measured: `${show(spread(full), 1)} MB, from ${empty.toFixed(1)} MB without any`,
      met: full.at(-1) <= full[0] * 1.2,
    },
    {
      figure: `a flood of ${bad.toLocaleString('en')} bad tokens`,
      goal: 'no good one evicted, none accepted, memory bounded',
      measured: `${stillRemembered} of ${good} good ones still remembered, ${accepted} bad ones accepted, heap ${beforeMB.toFixed(1)} -> ${afterMB.toFixed(1)} MB`,
      met: stillRemembered === good && accepted === 0 && afterMB <= beforeMB + 5,
    },
  ]
}

/** @param {Measured} results @returns {Goal[]} */
export const goals = (results) => [
  ...freshGoals(results),
  ...firstSightGoals(results),
  ...liveGoals(results),
  ...nodeGoals(results),
  ...delayGoals(results),
  callGoal(results),
  ...denialGoals(results),
  ...singleGoals(results),
  ...memoryGoals(results),
]
