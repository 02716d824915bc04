// From the acknowledgement of a revocation to the first refusal: by an API's `fresh` route, by its `live` route, and by a verifier in this
// process that follows the list over a WebSocket. Every loop revokes for an account of its own, so the loops are each other's traffic.
import { setTimeout as wait } from 'node:timers/promises'
import { createVerifier, TokenError } from '../../src/sdk/index.ts'
import { websocketFeed } from '../../src/sdk/websocket.ts'
import { Connection, jsonOf } from '../client.mjs'
import { accessToken, post, signUp } from '../people.mjs'
import { VARS } from '../server.mjs'
import { clientToken, revokeToken } from './oauth-client.mjs'
import { ADMIN_TOKEN } from './servers.mjs'

export const LOOPS = 32
/** Milliseconds between two tries of one token. */
const FRESH_EVERY = 20
const PUSHED_EVERY = 1
/** Milliseconds after which a revocation counts as lost. */
const GIVE_UP = 20_000
/** Milliseconds: an API asks for an unknown key at most once in so long. */
const KEY_COOLDOWN = 1000

const operator = { authorization: `Bearer ${ADMIN_TOKEN}` }

/** A verifier of this process. The issuer is a name here too; its socket is what is talked to. */
export function pushedVerifier(port) {
  const at = (url) => url.replace(/^(http|ws)s:\/\/[^/]+/, `$1://127.0.0.1:${port}`)
  const feed = websocketFeed({ connect: (url) => new WebSocket(at(url)) })
  return createVerifier({ issuer: VARS.ISSUER, audience: VARS.ISSUER, feed, fetch: (url, init) => fetch(at(url), init) })
}

/** How each kind of denial comes about; answers once it is acknowledged. */
const REVOKE = {
  sid: ({ product, person }) => post(product, '/api/sign-out', {}, { cookie: `__Host-session=${person.session}`, origin: VARS.ISSUER }),
  'sub+ver': ({ product, person }) =>
    product.request('PUT', `/admin/api/accounts/${person.sub}/roles`, JSON_OPERATOR, '{"roles":["editor"]}'),
  jti: ({ product, token }) => revokeToken(product, token),
  kid: ({ product, kid }) => product.request('POST', `/admin/api/keys/${kid}/revoke`, operator, ''),
}
const JSON_OPERATOR = { ...operator, 'content-type': 'application/json' }

class Subject {
  constructor(product, api, pushed) {
    this.product = product
    this.api = api
    this.pushed = pushed
  }

  /** Another account. A `jti` is denied by the client whose token it is; the other kinds are of the deployment's own apps. */
  async begin(kind, kid) {
    this.kid = kid
    this.person = await signUp(this.product)
    this.token = await (kind === 'jti' ? clientToken : accessToken)(this.product, this.person)
    const seen = [await this.answer('/fresh'), await this.answer('/live'), await this.isAcceptedHere()]
    if (`${seen}` !== '200,200,true') throw new Error(`not accepted before it was revoked: ${seen}`)
  }

  async answer(route) {
    const { status } = await this.api.request('GET', route, { authorization: `Bearer ${this.token}` })
    if (status !== 200 && status !== 401) throw new Error(`${route} answers ${status}`)
    return status
  }

  async isAcceptedHere() {
    try {
      await this.pushed.verifyToken(this.token)
      return true
    } catch (error) {
      if (error instanceof TokenError && ['token_revoked', 'token_outdated'].includes(error.code)) return false
      throw error
    }
  }

  /** @returns {Promise<{ liveAccepted: boolean, freshMs: number, pushedMs: number }>} */
  async revoke(kind) {
    const { status, text } = await REVOKE[kind](this)
    if (status >= 300) throw new Error(`${kind}: ${status} ${text}`)
    const acknowledgedMs = performance.now()
    const until = async (everyMs, isRefused) => {
      for (;;) {
        const askedMs = performance.now()
        if (await isRefused()) return performance.now() - acknowledgedMs
        if (askedMs - acknowledgedMs > GIVE_UP) throw new Error(`${kind}: still accepted`)
        await wait(everyMs)
      }
    }
    const pushed = until(PUSHED_EVERY, async () => !(await this.isAcceptedHere()))
    // The very first request after the acknowledgement is a `live` one; on one connection, so it cannot be overtaken.
    const liveAccepted = (await this.answer('/live')) === 200
    const freshMs = await until(FRESH_EVERY, async () => (await this.answer('/fresh')) === 401)
    return { liveAccepted, freshMs, pushedMs: await pushed }
  }

  close() {
    this.product.close()
    this.api.close()
  }
}

const subjectAt = async ({ port, apiPort }, pushed) => new Subject(await Connection.open(port), await Connection.open(apiPort), pushed)

/** `count` of each of the three kinds, mixed, over all loops at once. */
async function concurrently(server, pushed, count) {
  const work = Array.from({ length: count }, () => ['sid', 'sub+ver', 'jti']).flat()
  const seen = { sid: [], 'sub+ver': [], jti: [] }
  const failures = []
  await Promise.all(
    Array.from({ length: LOOPS }, async () => {
      const subject = await subjectAt(server, pushed)
      for (let kind = work.pop(); kind !== undefined; kind = work.pop()) {
        try {
          await subject.begin(kind)
          seen[kind].push(await subject.revoke(kind))
        } catch (error) {
          failures.push(error)
          break
        }
      }
      subject.close()
    }),
  )
  if (failures.length > 0) throw failures[0]
  return seen
}

/** One signing key after the other: each is made to sign, and denied. Others ask on meanwhile. */
async function keys(server, pushed, count) {
  const subject = await subjectAt(server, pushed)
  const seen = []
  for (let done = 0; done < count; done++) {
    const { kid } = jsonOf(await subject.product.request('POST', '/admin/api/keys/rotate', operator, ''))
    await wait(KEY_COOLDOWN)
    await subject.begin('kid', kid)
    seen.push(await subject.revoke('kid'))
  }
  subject.close()
  return seen
}

/** @returns {Promise<Record<'sid' | 'sub+ver' | 'jti' | 'kid', { liveAccepted: boolean, freshMs: number, pushedMs: number }[]>>} */
export async function measureDelays(server, count, keyCount) {
  const pushed = pushedVerifier(server.port)
  try {
    const seen = await concurrently(server, pushed, count)
    return { ...seen, kid: await keys(server, pushed, keyCount) }
  } finally {
    pushed.close()
  }
}
