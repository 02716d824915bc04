// The results of bench:sdk as Markdown: the goals, the rows, how it was measured.
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import path from 'node:path'
import { ACCESS_TOKEN_LIFETIME } from '../../src/protocol/claims.ts'
import { CONNECTIONS, WRK } from '../client.mjs'
import { REDIS_VERSION } from '../redis.mjs'
import { headed, medianWithin, SURE, show, spread } from '../results.mjs'
import { UNTIL_EXPIRY } from './chart.mjs'
import { LOOPS } from './delays.mjs'
import { goals, ratios, samplesOf } from './goals.mjs'
import { ON_REDIS } from './node-targets.mjs'

/**
 * Until when a revoked credential is accepted, in ms: measured here for Sallyport; for others what their design says, with the reason.
 * `null`: nothing is revoked by it, only expiry ends it.
 */
const DELAYS_OF_OTHERS = {
  'jose, remote JWKS, ES256': [null, 'a signature says nothing of revocation'],
  'hono/jwk, keys given, ES256': [null, 'the same'],
  'hono/jwk, jwks_uri, ES256': [null, 'the same'],
  'hono/jwt, HS256': [null, 'the same'],
  'OpenAuth verify, memory': [null, 'the same; its default life is 30 days'],
  'one object call (SQL)': [0, 'asked each time'],
  'better-auth, memory': [0, 'asked each time'],
  'better-auth, memory, cookie cache': [300_000, 'the life of its cookie cache, 5 minutes by default'],
  'workers-oauth-provider, KV': [60_000, 'KV may answer old values for 60 s or more in other places; at once in the same one'],
  [ON_REDIS]: [0, 'asked each time'],
}

/** Of those that were timed: Redis is not everywhere. */
const delaysOfOthers = ({ targets }) => Object.entries(DELAYS_OF_OTHERS).filter(([name]) => targets.some((target) => target.name === name))

const medianOf = (numbers) => spread(numbers).median

/** What the chart shows. */
export function points(results) {
  const cpu = (name) => ratios(results, name, 'cpuRatio').median
  const fresh = medianOf(results.delays.sid.map(({ freshMs }) => freshMs))
  const pushed = medianOf(results.delays.sid.map(({ pushedMs }) => pushedMs))
  const ours = [
    { name: 'offline', of: 'SDK, offline', delayMs: ACCESS_TOKEN_LIFETIME * 1000 },
    { name: 'fresh', of: 'SDK, fresh', delayMs: fresh },
    { name: 'fresh, first sight', of: 'SDK, fresh, first sight (ES256)', delayMs: fresh },
    { name: 'live', of: 'SDK, live', delayMs: 0 },
    { name: 'on express, WebSocket', of: 'SDK on express, fresh, WebSocket', delayMs: pushed },
  ].map(({ name, of, delayMs }) => ({ name, cpuRatio: cpu(of), delayMs, ours: true }))
  const others = delaysOfOthers(results).map(([name, [ms]]) => ({
    name,
    cpuRatio: cpu(name),
    delayMs: ms ?? UNTIL_EXPIRY,
    ours: false,
  }))
  return [...ours, ...others]
}

/** Where the median of a row's CPU ratio lies. */
function within(results, name) {
  const { from, to } = medianWithin(samplesOf(results, name).map(({ cpuRatio }) => cpuRatio))
  return `${from.toFixed(2)}-${to.toFixed(2)}`
}

function rows(results, group) {
  const of = results.targets.filter((target) => target.group === group)
  return headed(
    ['', 'CPU x bare', 'its median within', 'speed x bare', 'CPU us', 'per second'],
    of.map(({ name }) => {
      const us = samplesOf(results, name).map(({ cpuMs }) => cpuMs * 1000)
      const cell = (field, digits) => show(ratios(results, name, field), digits)
      return [name, cell('cpuRatio', 2), within(results, name), cell('speedRatio', 2), show(spread(us), 0), cell('rps', 0)]
    }),
  )
}

/** The rows alone. */
export const tables = (results) => `\n${rows(results, 'workerd')}\n\n${rows(results, 'node')}\n`

const delays = (results) =>
  headed(
    ['', 'accepted after a revocation', 'why'],
    delaysOfOthers(results).map(([name, [ms, why]]) => [name, ms === null ? 'until it expires' : ms === 0 ? 'no' : `${ms / 1000} s`, why]),
  )

function denialRows({ denials: { none, many, count, addMs } }) {
  const cells = (of) => [
    show(spread(of.buildMs), 1),
    show(spread(of.firstNs), 0),
    show(spread(of.lookUpNs), 0),
    show(spread(of.againNs), 1),
    show(spread(of.cpuMs.map((ms) => ms * 1000)), 0),
  ]
  const heads = ['denials', 'build, ms', 'check of a token, ns', 'one look-up, ns', 'nothing added since, ns', 'a `fresh` request, us CPU']
  const table = headed(heads, [
    ['0', ...cells(none)],
    [count.toLocaleString('en'), ...cells(many)],
  ])
  return `${table}\n\nThe list took ${show(spread(addMs), 0)} ms for each call of \`RevocationList.add\` with up to 50,000 denials.`
}

function versions() {
  const versionOf = (...where) => JSON.parse(readFileSync(path.join(import.meta.dirname, ...where, 'package.json'), 'utf8')).version
  const ours = ['workerd', 'miniflare', 'hono'].map((name) => `${name} ${versionOf('../../node_modules', name)}`)
  const peers = ['jose', 'better-auth', '@openauthjs/openauth', '@cloudflare/workers-oauth-provider']
  const node = ['express', 'express-session', 'connect-redis', 'redis', 'fastify', 'fast-jwt', 'jsonwebtoken']
  return [
    ...ours,
    ...[...peers, ...node].map((name) => `${name} ${versionOf('../node_modules', name)}`),
    `Node ${process.versions.node}`,
    ...(REDIS_VERSION === null ? [] : [`redis-server ${REDIS_VERSION}`]),
  ].join(', ')
}

/** Redis works for its server: who pays for what. */
function redisMethod(results) {
  if (REDIS_VERSION === null)
    return 'express-session keeps its sessions in memory alone: no `redis-server` was found (on the path, or where `REDIS_SERVER` says), so its rows on Redis are left out.'
  const us = (name, part) => medianOf(samplesOf(results, name).map((sample) => part(sample) * 1000)).toFixed(0)
  const parts = ['', ', no touch'].map((more) => {
    const name = `${ON_REDIS}${more}`
    return `${us(name, ({ cpuMs, besideMs }) => cpuMs - besideMs)} + ${us(name, ({ besideMs }) => besideMs)} us`
  })
  return `express-session on Redis: the CPU of Node and of \`redis-server\` together (${parts.join('; no touch: ')}).
  Redis is the bench's own, on loopback, with nothing on disk (\`--save "" --appendonly no\`): its fastest. By default a session is read and its life renewed
  at each request (GET, EXPIRE); "no touch" (\`disableTouch\`) only reads. With a file that is flushed at each write the default row would wait for the disk at
  each request, and the other would not change: neither is timed.`
}

/** Who is run more often than once a round. */
function slicesMethod({ targets, plan }) {
  const times = [...new Set(targets.map(({ slices = 1 }) => slices))].filter((slices) => slices > 1).toSorted((a, b) => b - a)
  const rowsOf = (slices) => targets.filter((target) => target.slices === slices).length
  return times.map((slices) => `${rowsOf(slices)} rows that lie close together are run ${slices * plan.count} times.`).join(' ')
}

const method = (results) => {
  const { plan, sizes } = results
  return `- ${cpus().length} virtual cores (${cpus()[0]?.model.trim()}), Linux; loopback only. ${versions()}.
- CPU decides: user and system time of the serving process from \`/proc\`, for each request answered, against the bare route run around it.
  Throughput shares the machine with the client. Figures are the median (minimum-maximum). "Its median within": the true median
  lies there with at least ${SURE} % certainty, by the ranks of the samples alone (five runs: their range, 94 %). It says nothing of another start of the same servers.
- A target is woken before its clock starts (three requests): between its turns objects and views fall asleep, which under steady traffic they do not.
- Every target is the only one under load while it runs: ${plan.count} rounds of ${plan.seconds} s each, in random order, the bare route of its group before, after and
  after every ${plan.batchSize === 2 ? 'second' : `${plan.batchSize} targets`}. ${slicesMethod(results)} ${CONNECTIONS} keep-alive connections of ${WRK ? '`wrk`' : 'closed loops in Node (`wrk` was not found)'}. Groups have different bare routes: absolute figures compare only within one.
- Workers: one workerd a target, on a direct socket. "SDK" is an API Worker on Hono with \`authenticate({ verifier, freshness })\` and a service binding to
  Sallyport's production bundle in the same workerd, whose CPU is counted too. It answers the JSON that the bare route answers.
- Repeated: one token a run. First sight, or each token once: another token for each request, of the bench's own key, given to a second verifier of the same
  API as \`jwks\`; signed before the clock starts. One handler: \`authenticated({ verifier }, handler)\` in place of \`authenticate\` and a handler.
- By hand: one handler on Hono. "Header" reads the Authorization header and answers; "header, Map, c.set" looks it up in a Map of 10,000, puts what it finds into
  the context and answers from there, as the SDK's rows do. Neither checks anything: no expiry, no denial, no age of what is known.
- Node: Sallyport's rows follow the list over a WebSocket. ${redisMethod(results)}
- Revocation: ${sizes.delays} each of \`sid\` (sign-out), \`sub\` + \`ver\` (roles changed) and \`jti\` at once, ${LOOPS} loops, an account each; each revokes, then asks \`live\` once and \`fresh\` every
  20 ms until refused, from the moment that the reply was read; so up to 20 ms of each figure is the asking. Then ${sizes.keys} signing keys, one after the other, whose
  revocation is acknowledged a second after it was made. A \`jti\` is that of a token which an OAuth client got by the authorization code flow, and takes back at
  \`/oauth/revoke\`; a \`sid\` and a \`sub\` are those of the deployment's own apps.
- Denials of nobody: three in four of a \`sid\`, one of a \`sub\`. One by one: an \`add\` for each inside the object, the rows it writes counted; then
  1000 of them in turn, each over a call from the Worker. A check looks up five ids of a token (20,000 tokens in turn); "nothing added since" is the path of a
  token that was checked before. The view's size is what the heap grew by, garbage collected before and after; while it grows, the half as large old one is there too.
- Memory: the signature step answers at once there and is counted, so that a repeated token that was forgotten shows. Bad tokens: a wrong signature, an
  unknown key, no token at all, in turn.
- The build for the revocation proofs answers password hashes at once, as in \`npm run bench\`; the timed rows are the untouched production bundle.`
}

/** @param {import('./goals.mjs').Measured} results */
export function markdown(results) {
  const reached = goals(results)
  const table = headed(
    ['', 'figure', 'goal', 'measured'],
    reached.map(({ figure, goal, measured, met, outOfReach }) => {
      const missed = outOfReach ? '**NOT met**, nor by hand' : '**NOT met**'
      return [met === null ? '' : met ? 'met' : missed, figure, goal, measured]
    }),
  )
  return `# What a verified request costs

Written by \`npm run bench:sdk\`; the samples are in \`bench/dist/sdk-results.json\`.${results.quick ? ' **A quick run: too short to be trusted.**' : ''}

## Goals

${reached.filter(({ met }) => met).length} of ${reached.filter(({ met }) => met !== null).length} met. "Nor by hand": the row named under it as the least possible, which checks nothing, misses it as well in the same run.

${table}

## Workers

${rows(results, 'workerd')}

![How long a revoked credential is accepted, and what each check costs](sdk-chart.svg)

How long others accept a revoked credential is not measured here; it follows from their design:

${delays(results)}

## Node

${rows(results, 'node')}

## A million denials

${denialRows(results)}

## Method

${method(results)}
`
}
