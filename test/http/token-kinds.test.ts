import { env, exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { URL_MAP } from '../../src/app.ts'
import { openSecretRing } from '../../src/keys/secret-ring.ts'
import { Signer, type SigningUse } from '../../src/keys/signer.ts'
import { createVerifier } from '../../src/sdk/index.ts'
import { ID_TOKEN_TYP, idTokenClaims } from '../../src/tokens/id-token.ts'
import { LOGOUT_TOKEN_TYP, logoutTokenClaims } from '../../src/tokens/logout-token.ts'
import { randomId } from '../../src/tokens/random-id.ts'
import { PASSWORD } from '../support/account.ts'

const ISSUER = 'http://localhost:8787'

async function send(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const init = {
    method,
    headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }
  return exports.default.fetch(new Request(`${ISSUER}${path}`, init))
}

const BODY = { current_password: PASSWORD, new_password: 'amber-walrus-77-harbour' }

/** Every route that takes an access token as a bearer token, with ids in its path that name nothing. */
const entries = URL_MAP.flatMap(({ method, path, operation }) =>
  operation.access === 'bearer' || operation.access === 'session'
    ? [{ method, path: path.replace(/:\w+/g, randomId()), body: operation.body ? BODY : undefined }]
    : [],
)

let claims: Record<string, unknown> & { sub: string; sid: string }
let sign: (payload: object, use?: SigningUse) => Promise<string>
beforeAll(async () => {
  const made = await send('POST', '/api/sign-up', { email: 'kinds@example.com', password: PASSWORD, use: 'tokens' })
  const { access_token } = (await made.json()) as { access_token: string }
  claims = JSON.parse(atob((access_token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')))
  const keys = env.KEY_SET.getByName('keys')
  const signer = new Signer(await openSecretRing([env.SALLYPORT_SECRET ?? '']), {
    activeKey: async (alg) => keys.activeKey(alg),
    keyStatus: async () => 'good',
  })
  sign = async (payload, use) => (await signer.prepare(Math.floor(Date.now() / 1000), undefined, use))(payload)
})

const binding = {
  jwks: async () => env.KEY_SET.getByName('keys').jwks(),
  revocations: async (after: string | null) => env.REVOCATION_LIST.getByName('list').feed(after),
  check: async () => ({ active: true }) as const,
}

/** As they are made, and, in case a claim alone should be what refuses them, with all that an access token says besides. */
async function otherTokens(): Promise<[string, string][]> {
  const facts = { issuer: ISSUER, client_id: ISSUER, sub: claims.sub, sid: claims.sid, now: Math.floor(Date.now() / 1000) }
  const idToken = await idTokenClaims({ ...facts, nonce: null, auth_time: facts.now, acr: 'pwd', amr: ['pwd'], alg: 'RS256' })
  const logoutToken = logoutTokenClaims({ ...facts, jti: randomId() })
  const cases: [string, object, SigningUse][] = (['RS256', 'ES256'] as const).flatMap((alg): [string, object, SigningUse][] => [
    [`ID token, ${alg}`, idToken, { alg, typ: ID_TOKEN_TYP }],
    [`ID token with every claim, ${alg}`, { ...idToken, ...claims }, { alg, typ: ID_TOKEN_TYP }],
    [`logout token, ${alg}`, logoutToken, { alg, typ: LOGOUT_TOKEN_TYP }],
    [`logout token with every claim, ${alg}`, { ...logoutToken, ...claims }, { alg, typ: LOGOUT_TOKEN_TYP }],
  ])
  return Promise.all(cases.map(async ([name, payload, use]): Promise<[string, string]> => [name, await sign(payload, use)]))
}

describe('an ID token and a logout token', () => {
  test('are refused by the verifier, offline, fresh and live, for what they are', async () => {
    for (const freshness of ['offline', 'fresh', 'live'] as const) {
      const verifier = createVerifier({ issuer: ISSUER, audience: ISSUER, binding, freshness })
      expect((await verifier.verifyToken(await sign(claims))).claims.sub).toBe(claims.sub)
      for (const [name, token] of await otherTokens()) {
        const refusal = await verifier.verifyToken(token).catch((error: unknown) => error)
        expect([name, refusal]).toEqual([name, expect.objectContaining({ code: 'token_invalid', reason: 'typ' })])
      }
    }
  })

  test('are refused wherever an access token is taken, and change nothing', async () => {
    expect(entries.length).toBeGreaterThan(5)
    const others = await otherTokens()
    for (const { method, path, body } of entries) {
      for (const [name, token] of others) {
        const reply = await send(method, path, body, { authorization: `Bearer ${token}` })
        expect([method, path, name, reply.status]).toEqual([method, path, name, 401])
        await reply.body?.cancel()
      }
    }
    // The same claims as an access token's pass: it is the kind that was refused.
    const own = { authorization: `Bearer ${await sign(claims)}` }
    expect((await send('GET', '/api/session', undefined, own)).status).toBe(200)
    expect((await send('GET', '/api/demo/live', undefined, own)).status).toBe(200)
  })

  test('are refused by the service binding, and are no operator, refresh token or cookie', async () => {
    for (const [name, token] of await otherTokens()) {
      expect([name, await exports.Verifier.check(token)]).toEqual([name, { active: false, error: 'revoked' }])
      expect((await send('POST', '/api/refresh', { refresh_token: token })).status).toBe(400)
      expect((await send('GET', '/api/session', undefined, { cookie: `__Host-session=${token}` })).status).toBe(401)
      expect((await send('GET', '/admin/api/keys', undefined, { authorization: `Bearer ${token}` })).status).toBe(401)
    }
    expect(await exports.Verifier.check(await sign(claims))).toEqual({ active: true })
  })
})
