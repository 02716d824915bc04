// Rows by hand: the least that each runtime takes for the part of an operation that cannot be left out.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { NODE } from '../../scripts/toolchain.mjs'
import * as bundles from '../bundles.mjs'
import { CONNECTIONS, each, jsonOf, loop } from '../client.mjs'
import { post } from '../people.mjs'
import { startWorker } from '../server.mjs'
import { basic, postForm } from './flows.mjs'

const HEADERS = basic('an-api', 'a'.repeat(43))

/** `states`: what each loop sends. */
function floorTarget({ port, pid }, group, row, route, states) {
  const step = async (connection, fields) => {
    const answer = await postForm(connection, route, fields, HEADERS)
    if (!answer.access_token && !answer.active) throw new Error('neither a token nor active')
    return fields
  }
  const run = (seconds) => loop(port, states, step, seconds)
  return { ...row, group, pid, loops: CONNECTIONS, hand: true, run, name: `${row.operation}: ${row.of}` }
}

const TOKEN_REQUEST = Array(CONNECTIONS).fill({ grant_type: 'client_credentials', scope: 'api' })

/** As long as our tokens; each loop asks an object of its own. */
const TOKENS = Array.from({ length: CONNECTIONS }, (_, index) => ({ token: `${index}`.padEnd(560, 'x') }))

export async function startWorkerFloors() {
  const objects = { durableObjects: { SESSION: { className: 'Session', useSQLite: true } } }
  const server = await startWorker(await bundles.peer('floors'), () => objects)
  return {
    ...server,
    touch: () => each(server.port, [...TOKENS], (connection, token) => postForm(connection, '/introspect', token, HEADERS)),
  }
}

export function workerFloors(server, group) {
  const call = { of: 'by hand on workerd: one object call', operation: 'introspection', state: 'durable' }
  const token = { of: 'by hand on workerd: one ES256 signature', operation: 'client_credentials', state: 'none' }
  const rs256 = (by) => ({ of: `workerd, ${by}`, operation: 'RS256', state: 'none' })
  return [
    floorTarget(server, group, call, '/introspect', TOKENS),
    floorTarget(server, group, token, '/token', TOKEN_REQUEST),
    floorTarget(server, group, rs256('WebCrypto'), '/rs256', TOKEN_REQUEST),
    floorTarget(server, group, rs256('node:crypto'), '/rs256-by-node', TOKEN_REQUEST),
  ]
}

const ROWS = Array.from({ length: CONNECTIONS }, (_, index) => `row-${index}`)

const rotate = async (connection, refresh_token) => jsonOf(await post(connection, '/refresh', { refresh_token })).refresh_token

export async function startRowFloor() {
  const objects = { durableObjects: { ROW: { className: 'Row', useSQLite: true } } }
  const server = await startWorker(await bundles.peer('by-hand'), () => objects)
  return { ...server, touch: () => each(server.port, [...ROWS], rotate) }
}

/** The least that a durable refresh is: a row read and written in one transaction of an object, and a signature; nothing is checked. */
export function rowFloor({ port, pid }, group) {
  const run = (seconds) => loop(port, [...ROWS], rotate, seconds)
  const row = { of: 'by hand on workerd: one row, one ES256 signature', operation: 'refresh', state: 'durable' }
  return [{ ...row, group, pid, loops: CONNECTIONS, hand: true, leadIn: true, run, name: `${row.operation}: ${row.of}` }]
}

export async function startNodeFloors() {
  const child = fork(path.join(import.meta.dirname, 'node', 'floors.mjs'), { execPath: NODE })
  const [{ port }] = await once(child, 'message')
  const stop = async () => {
    const ended = once(child, 'exit')
    child.disconnect()
    await ended
  }
  return { port, pid: child.pid, stop }
}

export const nodeFloors = (server, group) => [
  floorTarget(server, group, { of: 'Node, node:crypto', operation: 'RS256', state: 'none' }, '/', TOKEN_REQUEST),
]
