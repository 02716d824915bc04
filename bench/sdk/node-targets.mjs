// The routes of Node servers that are timed, a process each.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { NODE } from '../../scripts/toolchain.mjs'
import { CONNECTIONS, Connection, jsonOf } from '../client.mjs'
import { accessToken, peopleAt } from '../people.mjs'
import { startRedis } from '../redis.mjs'
import { VARS } from '../server.mjs'
import { eachTheSame } from './loads.mjs'
import { es256Token, PUBLIC_PEM } from './tokens.mjs'

/** Runs in each round, where targets lie close together. */
const CLOSE = { slices: 2 }

async function startNode(kind, config) {
  const child = fork(path.join(import.meta.dirname, 'node', 'server.mjs'), { execPath: NODE, execArgv: ['--no-warnings'] })
  child.send({ kind, config })
  const [{ port }] = await once(child, 'message')
  const stop = async () => {
    const ended = once(child, 'exit')
    child.disconnect()
    await ended
  }
  return { port, pid: child.pid, stop }
}

/** Sessions as connect-redis keeps them unless told otherwise: read, and their life renewed, at each request. */
export const ON_REDIS = 'express-session, Redis'

const bearer = (token) => ({ authorization: `Bearer ${token}` })

async function signedIn(port) {
  const connection = await Connection.open(port)
  const reply = await connection.request('POST', '/sign-in', {}, '')
  connection.close()
  jsonOf(reply)
  return { cookie: /set-cookie: ([^;\r]+)/i.exec(reply.head)[1] }
}

/** @param {import('../server.mjs').Server} product whose tokens and list Sallyport's rows use */
export async function startNodeTargets(product) {
  const [person] = await peopleAt(product.port, 1)
  const ours = async () => {
    const connection = await Connection.open(product.port)
    const token = await accessToken(connection, person)
    connection.close()
    return bearer(token)
  }
  const theirs = () => bearer(es256Token())
  const redis = await startRedis()
  const onRedis = (name, disableTouch) => ({
    name,
    kind: 'express-session',
    headersFor: signedIn,
    peer: true,
    beside: [redis.pid],
    more: { redis: { url: redis.url, disableTouch } },
  })
  const config = { issuer: VARS.ISSUER, port: product.port, publicPem: PUBLIC_PEM }
  const rows = [
    { name: 'bare node:http', kind: 'node:http', floor: true, headersFor: () => ({}) },
    { name: 'bare fastify', kind: 'fastify', headersFor: () => ({}) },
    { name: 'bare express', kind: 'express', headersFor: () => ({}) },
    { name: 'SDK on node:http, fresh, WebSocket', kind: 'sallyport', headersFor: ours, ...CLOSE },
    { name: 'SDK on fastify, fresh, WebSocket', kind: 'sallyport on fastify', headersFor: ours, ...CLOSE },
    { name: 'SDK on express, fresh, WebSocket', kind: 'sallyport on express', headersFor: ours, ...CLOSE },
    { name: 'fast-jwt on fastify, cache', kind: 'fast-jwt, cache', headersFor: theirs, peer: true, ...CLOSE },
    { name: 'fast-jwt on fastify, no cache', kind: 'fast-jwt', headersFor: theirs, peer: true },
    { name: 'jsonwebtoken on express, ES256', kind: 'jsonwebtoken', headersFor: theirs, peer: true },
    { name: 'express-session, in memory', kind: 'express-session', headersFor: signedIn, peer: true },
    ...(redis ? [onRedis(ON_REDIS, false), onRedis('express-session, Redis, no touch', true)] : []),
  ]
  const servers = []
  const targets = []
  for (const { name, kind, headersFor, more = {}, ...row } of rows) {
    const server = await startNode(kind, { ...config, ...more })
    servers.push(server)
    const load = eachTheSame(server.port, '/', () => headersFor(server.port))
    targets.push({ name, group: 'node', loops: CONNECTIONS, pid: server.pid, ...row, ...load })
  }
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()))
    await redis?.stop()
  }
  return { targets, stop }
}
