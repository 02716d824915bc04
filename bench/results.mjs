// The results as Markdown: a table a group, what is counted, the goals.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { CONNECTIONS, WRK } from './client.mjs'

/** @typedef {{ plan: object, targets: object[], samples: import('./rounds.mjs').Sample[], counts: import('./counts.mjs').Count[] }} Results */

const GOALS = {
  refreshCpuMs: 0.75,
  aheadOfPeers: 5,
  refreshRows: 1,
  signInCpuMs: 2,
}

export function spread(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { min: sorted[0], median, max: sorted.at(-1) }
}

/** Out of a hundred, how often a median lies in the interval that is said of it. */
export const SURE = 95

/**
 * Between which samples the true median lies, by their ranks alone (sign test): so often as `SURE` says, whatever the samples'
 * distribution. Fewer than six samples say less than that; theirs are the minimum and the maximum.
 */
export function medianWithin(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  let rank = 0
  // The chance that no more than `rank` samples are on one side of the median, and its next term.
  let [outside, term] = [0, 0.5 ** sorted.length]
  for (let next = 0; next < sorted.length / 2; next++) {
    outside += term
    if (1 - 2 * outside < SURE / 100) break
    rank = next
    term *= (sorted.length - next) / (next + 1)
  }
  return { from: sorted[rank], to: sorted.at(-1 - rank) }
}

export const show = ({ min, median, max }, digits) => `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`

const spreadOf = ({ samples }, name, field) => spread(samples.filter((sample) => sample.name === name).map((sample) => sample[field]))

const row = (cells) => `| ${cells.join(' | ')} |`
export const headed = (heads, rows) => [row(heads), row(heads.map(() => '---')), ...rows.map(row)].join('\n')

/** One group's table: median (minimum-maximum) of each figure over the rounds. */
function groupTable(results, group) {
  const heads = ['', 'CPU x bare route', 'CPU ms', 'speed x bare route', 'per second', 'p50 ms', 'loops']
  const rows = results.targets
    .filter((target) => target.group === group)
    .map(({ name, loops }) => {
      const of = (field, digits) => show(spreadOf(results, name, field), digits)
      return [name, of('cpuRatio', 2), of('cpuMs', 3), of('speedRatio', 2), of('rps', 0), of('p50Ms', 1), loops]
    })
  return headed(heads, rows)
}

/** Both tables. */
export const table = (results) => `\n${groupTable(results, 'GET')}\n\n${groupTable(results, 'POST')}\n`

function countTable({ counts }) {
  const round = (number) => String(Math.round(number * 100) / 100)
  const rows = counts.map(({ name, rowsWritten, alarms, calls, now_and_then }) => {
    const calling = Object.entries(calls).map(([method, number]) => `${method}${number === 1 ? '' : ` x ${round(number)}`}`)
    return [
      name,
      round(rowsWritten),
      round(alarms),
      calling.length,
      [...calling, ...now_and_then.map((method) => `(${method})`)].join(', '),
    ]
  })
  return headed(['', 'rows written', 'alarms set', 'object calls', 'which (in brackets: now and then)'], rows)
}

function goals(results) {
  const median = (name, field) => spreadOf(results, name, field).median
  const lines = []
  const add = (met, text) => lines.push(`- ${met ? 'reached' : 'NOT reached'}: ${text}`)
  const cpu = median('refresh', 'cpuMs')
  add(cpu <= GOALS.refreshCpuMs, `a durable, single-use refresh costs ${cpu.toFixed(2)} ms of CPU (goal: at most ${GOALS.refreshCpuMs})`)
  for (const { name } of results.targets.filter(({ peer }) => peer)) {
    const cpuAhead = median(name, 'cpuMs') / cpu
    const speedAhead = median('refresh', 'rps') / median(name, 'rps')
    const text = `${cpuAhead.toFixed(1)} times less CPU than ${name}, ${speedAhead.toFixed(1)} times its throughput (goal: ${GOALS.aheadOfPeers})`
    add(cpuAhead >= GOALS.aheadOfPeers && speedAhead >= GOALS.aheadOfPeers, text)
  }
  const floor = results.targets.find(({ name }) => name.startsWith('by hand'))
  if (floor) {
    const ahead = results.targets
      .filter(({ peer }) => peer)
      .map(({ name }) => `${(median(name, 'cpuMs') / median(floor.name, 'cpuMs')).toFixed(1)} times less than ${name}`)
    lines.push(
      `- to read that by: ${floor.name}, and nothing else, costs ${median(floor.name, 'cpuMs').toFixed(2)} ms${ahead.length > 0 ? `, ${ahead.join(', ')}` : ''}`,
    )
  }
  const rows = results.counts.find(({ name }) => name === 'refresh')?.rowsWritten ?? Number.NaN
  add(rows === GOALS.refreshRows, `a refresh writes ${rows} row (goal: ${GOALS.refreshRows})`)
  const rest = median('sign-in, hash answered at once', 'cpuMs')
  add(rest <= GOALS.signInCpuMs, `a sign-in costs ${rest.toFixed(2)} ms of CPU beside its hash (goal: at most ${GOALS.signInCpuMs})`)
  return lines.join('\n')
}

function versions(peers) {
  const require = createRequire(import.meta.url)
  const versionOf = (file) => JSON.parse(readFileSync(require.resolve(file), 'utf8')).version
  const ours = ['workerd', 'miniflare', 'hono'].map((name) => `${name} ${versionOf(`../node_modules/${name}/package.json`)}`)
  const theirs = peers ? ['@openauthjs/openauth', '@cloudflare/workers-oauth-provider'] : []
  const installed = theirs.map((name) => `${name} ${versionOf(`./node_modules/${name}/package.json`)}`)
  return [...ours, ...installed, `Node ${process.versions.node}`].join(', ')
}

const method = ({
  plan,
  targets,
}) => `- ${cpus().length} virtual cores (${cpus()[0]?.model.trim()}), Linux; loopback only. ${versions(targets.some(({ peer }) => peer))}.
- Every target is the only one under load while it runs: ${plan.count} rounds of ${plan.seconds} s each, in random order, the bare route of its group before, after,
  and after every third target; ratios are against the two bare runs around it. Figures are the median over the rounds (minimum-maximum).
- One workerd process for each Worker, on a direct socket: the development proxy would cost 4-5 times the work that is measured.
- CPU is user and system time of that workerd from \`/proc\`, for each request answered. It decides; throughput shares the machine with the client.
- GET: ${CONNECTIONS} keep-alive connections of ${WRK ? '`wrk`' : 'closed loops in Node (`wrk` was not found)'}. POST: closed loops in Node, a connection each, every loop with its own account; the bare
  POST is bound by this client.
- The product is its production bundle in production's mode. Bearer routes: a new token a run, remembered by the verifier after its first request.
  Objects are awake, but for "object asleep": 256 accounts left alone for longer than 10 s, then refreshed once each.
- "Hash answered at once" is a build that only the bench makes, to see what a sign-in costs beside its hash. The hash runs in ${'`sign-in`'}.
- "Unprotected, same Worker" is \`/health\`: what the product's own shell (routing, security headers, request id) costs before any check.
- The bare route is a Hono Worker that answers the same JSON (GET), or reads a JSON body and answers JSON of a refresh's size (POST).
- Peers: the same Miniflare and workerd, KV as Miniflare simulates it in the same process, on the same disk: its CPU is counted, its network is not. Their
  refresh is read-then-write, since KV cannot compare and set; ours is one transaction of one object. OpenAuth's log line is silenced.
- Rows and calls are counted in a run of their own, by a build whose objects count.`

/** @param {Results} results */
export function markdown(results) {
  return `# What an operation costs

Written by \`npm run bench\`; the samples are in \`bench/dist/results.json\`.

## Protected routes

${groupTable(results, 'GET')}

## Tokens and sign-in

${groupTable(results, 'POST')}

## Rows and calls

${countTable(results)}

## Goals

${goals(results)}

## Method

${method(results)}
`
}
