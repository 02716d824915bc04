// node bench/profile.mjs NAME [--seconds 4] [--bundle directory]: where the JavaScript spends its time under 8 connections (an OAuth
// operation: 32), as self time by function. NAME is refresh, live, fresh, offline, cookie, sign-in, oauth:code, oauth:refresh,
// oauth:client_credentials or oauth:introspection. Time in the runtime itself (cryptography, SQL, the network) is `(program)`.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { miniflareOptions } from '../scripts/bundle.mjs'
import * as bundles from './bundles.mjs'
import { Connection, jsonOf, loop } from './client.mjs'
import { OAUTH_VARS, sallyportAt } from './oauth/servers.mjs'
import { sallyportTargets } from './oauth/targets.mjs'
import { accessToken, peopleAt, refresh, signIn } from './people.mjs'
import { freePort, VARS } from './server.mjs'

const LOOPS = 8
const SHOWN = 45

const signedIn = async (connection, person) => {
  jsonOf(await signIn(connection, person))
  return person
}

/** One step of each loop, and the states that the loops begin with. */
async function stepOf(name, port) {
  const people = await peopleAt(port, LOOPS)
  const connection = await Connection.open(port)
  try {
    if (name === 'sign-in') return { states: people, step: signedIn }
    if (name === 'refresh') {
      const states = []
      for (const person of people) states.push(jsonOf(await signIn(connection, person, 'tokens')).refresh_token)
      return { states, step: refresh }
    }
    const [person] = people
    const headers =
      name === 'cookie'
        ? { cookie: `__Host-session=${person.session}` }
        : { authorization: `Bearer ${await accessToken(connection, person)}` }
    const route = `/api/demo/${name === 'cookie' ? 'session' : name}`
    return { states: people, step: async (on) => jsonOf(await on.request('GET', route, headers)) }
  } finally {
    connection.close()
  }
}

/** What is run before the profile, and what in it. */
async function loadOf(name, server) {
  const operation = /^oauth:(.*)/.exec(name)?.[1]
  if (operation) {
    const targets = await sallyportTargets(await sallyportAt(server))
    const target = targets.find((it) => it.name.startsWith(`${operation}: Sallyport`))
    for (let warm = 0; warm < 3; warm++) {
      await target.ready?.()
      await target.run(2)
    }
    await target.ready?.()
    return target.run
  }
  const { states, step } = await stepOf(name, server.port)
  await loop(server.port, states, step, 2)
  return (seconds) => loop(server.port, states, step, seconds)
}

/** A session with the Worker's inspector. */
async function inspect(url) {
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  const waiting = new Map()
  let last = 0
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(data)
    waiting.get(id)?.(error ?? result)
  }
  const send = (method, params = {}) =>
    new Promise((resolve) => {
      last += 1
      waiting.set(last, resolve)
      socket.send(JSON.stringify({ id: last, method, params }))
    })
  return { send, close: () => socket.close() }
}

/** Self time of each function in ms, the largest first. */
function selfTimes({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]))
  const times = new Map()
  for (const [index, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id)
    const name = `${functionName || '(anonymous)'} ${url ? `${path.basename(url)}:${lineNumber + 1}` : ''}`
    times.set(name, (times.get(name) ?? 0) + timeDeltas[index] / 1000)
  }
  return [...times].sort((a, b) => b[1] - a[1])
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '4' }, bundle: { type: 'string' } },
})
const [name = 'refresh'] = positionals
const bundle = values.bundle ?? (await (name === 'sign-in' ? bundles.withoutHash() : bundles.product()))
const state = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'))
const port = await freePort()
const vars = { ...VARS, ...OAUTH_VARS, SALLYPORT_SECRET: randomBytes(32).toString('base64url') }
const options = await miniflareOptions({ bundle, host: '127.0.0.1', ports: [port], vars, persist: state })
const miniflare = new Miniflare(convertV4MiniflareOptions({ ...options, inspectorPort: await freePort(), handleStructuredLogs() {} }))
await miniflare.ready
const inspector = await miniflare.getInspectorURL()
const load = await loadOf(name, { port })
const { send, close } = await inspect(`${inspector.href}core:user:${options.workers[0].name}`)
await send('Profiler.enable')
await send('Profiler.setSamplingInterval', { interval: 200 })
await send('Profiler.start')
const { count, failed, reason } = await load(Number(values.seconds))
const { profile } = await send('Profiler.stop')
close()
const times = selfTimes(profile)
const total = times.reduce((sum, [, ms]) => sum + ms, 0)
process.stdout.write(`${name}: ${count} in ${values.seconds} s${failed ? `; ${failed} failed: ${reason}` : ''}\n`)
for (const [frame, ms] of times.slice(0, SHOWN)) {
  process.stdout.write(`${((ms * 1000) / count).toFixed(2).padStart(9)} us  ${((ms / total) * 100).toFixed(1).padStart(5)} %  ${frame}\n`)
}
await miniflare.dispose()
await rm(state, { recursive: true, force: true })
process.exit()
