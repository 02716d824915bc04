import { expect, test } from 'vitest'
import { prepareSigning } from '../../src/http/answer.ts'
import { readDpopProof, verifyBoundToken } from '../../src/http/oauth/dpop.ts'
import { OAuthError } from '../../src/http/oauth/oauth-error.ts'
import { makeDpopNonce } from '../../src/oauth/dpop-nonce.ts'
import { callHook, ObjectUnavailable } from '../../src/objects/call.ts'
import { jwkThumbprint } from '../../src/sdk/proof-key.ts'
import { type Change, makeClientKey, makeProof } from './proofs.ts'
import { handling, ISSUER } from './requests.ts'

const URL_ASKED = `${ISSUER}/oauth/token`
const token = handling(async (c) => c.json(await readDpopProof(c, { requireNonce: true })))
const lenient = handling(async (c) => c.json(await readDpopProof(c, { requireNonce: false })))
const nonceNow = async () =>
  (await token(new Request(URL_ASKED, { method: 'POST', headers: { dpop: 'x' } }))).headers.get('dpop-nonce') ?? ''

/** A key of its own for each, so that they share no memory. */
async function proofs() {
  const key = await makeClientKey()
  const jkt = await jwkThumbprint(key.jwk)
  const make = async (change: Change = {}) => {
    const claims = { nonce: await nonceNow(), ...change.claims }
    return makeProof(key, { method: 'POST', url: URL_ASKED, now: Math.floor(Date.now() / 1000) }, { ...change, claims })
  }
  return { key, jkt, make }
}
const post = (...sent: string[]) =>
  new Request(URL_ASKED, { method: 'POST', headers: sent.map((proof): [string, string] => ['DPoP', proof]) })

async function answerOf(response: Response) {
  const { error, jkt } = (await response.json<{ error?: string; jkt?: string } | null>()) ?? {}
  return { status: response.status, error, jkt, hasNonce: response.headers.has('dpop-nonce') }
}
const invalid = { status: 400, error: 'invalid_dpop_proof', jkt: undefined, hasNonce: true }

test('a request without the header has no key, and gets no nonce', async () => {
  const response = await token(post())
  expect([await response.json(), response.headers.has('dpop-nonce')]).toEqual([null, false])
})

test('a good proof gives its key, and the answer a nonce for the next', async () => {
  const { jkt, make } = await proofs()
  expect(await answerOf(await token(post(await make())))).toEqual({ status: 200, error: undefined, jkt, hasNonce: true })
})

test('without a nonce, or with an old one, the client is told to use the one that comes with the answer', async () => {
  const { jkt, make } = await proofs()
  const opened = await nonceNow()
  for (const nonce of [undefined, 'x', `${opened}x`]) {
    const response = await token(post(await make({ claims: { nonce } })))
    expect(response.headers.get('dpop-nonce')).toMatch(/^[\w-]{20,}$/)
    expect(await answerOf(response)).toEqual({ ...invalid, error: 'use_dpop_nonce' })
  }
  expect((await answerOf(await lenient(post(await make({ claims: { nonce: undefined } }))))).jkt).toBe(jkt)
  expect((await answerOf(await lenient(post(await make({ claims: { nonce: 'x' } }))))).error).toBe('use_dpop_nonce')
})

test('a nonce of long ago is refused', async () => {
  const { make } = await proofs()
  let old = ''
  await handling(async (c) => {
    old = await makeDpopNonce(c.get('services').ring, Math.floor(Date.now() / 1000) - 121)
    return c.body(null)
  })(post())
  expect((await answerOf(await token(post(await make({ claims: { nonce: old } }))))).error).toBe('use_dpop_nonce')
})

test('two headers are refused, whatever they hold', async () => {
  const { make } = await proofs()
  const [one, two] = [await make(), await make()]
  for (const sent of [
    [one, one],
    [one, two],
    ['', one],
    [one, ''],
  ]) {
    const response = await token(post(...sent))
    expect(response.headers.has('dpop-nonce')).toBe(true)
    expect(await answerOf(response)).toEqual(invalid)
  }
  expect(await answerOf(await token(post('')))).toEqual(invalid)
})

test('a proof is good once, also when it comes 30 times at once', async () => {
  const { make } = await proofs()
  const proof = await make()
  const answers = await Promise.all(Array.from({ length: 30 }, async () => answerOf(await token(post(proof)))))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ status }) => status !== 200)).toEqual(Array.from({ length: 29 }, () => invalid))
  expect(await answerOf(await token(post(proof)))).toEqual(invalid)
})

test('a proof that is refused for its nonce is not used up', async () => {
  const { jkt, make } = await proofs()
  const claims = { jti: 'the same' }
  expect((await answerOf(await token(post(await make({ claims: { ...claims, nonce: undefined } }))))).error).toBe('use_dpop_nonce')
  expect((await answerOf(await token(post(await make({ claims }))))).jkt).toBe(jkt)
  expect((await answerOf(await token(post(await make({ claims }))))).error).toBe('invalid_dpop_proof')
})

test('the address of the proof is that of the issuer, whatever host the request came in by', async () => {
  const { make } = await proofs()
  const sent = async (url: string) =>
    (await answerOf(await token(new Request(url, { method: 'POST', headers: { DPoP: await make() } })))).status
  expect(await sent('http://sallyport.internal/oauth/token?x=1')).toBe(200)
  expect(await sent(`${ISSUER}/oauth/par`)).toBe(400)
})

test('an answer that fails later carries the nonce too', async () => {
  const { make } = await proofs()
  const failing = handling(async (c) => {
    await readDpopProof(c, { requireNonce: true })
    throw new OAuthError('invalid_grant', 'The code is not valid.')
  })
  expect(await answerOf(await failing(post(await make())))).toEqual({ ...invalid, error: 'invalid_grant' })
})

test('when the memory cannot be reached the proof does not pass', async () => {
  const { make } = await proofs()
  let thrown: unknown
  const watched = handling(async (c) => {
    thrown = await readDpopProof(c, { requireNonce: true }).catch((error: unknown) => error)
    return c.body(null)
  })
  const proof = await make()
  callHook.before = (label) => {
    if (label === 'ReplayMemory.consume') throw new Error('away')
  }
  try {
    await watched(post(proof))
  } finally {
    delete callHook.before
  }
  expect(thrown).toBeInstanceOf(ObjectUnavailable)
})

test('a bound token of ours is taken at our own routes with a proof, each once', async () => {
  const { key, jkt } = await proofs()
  const now = Math.floor(Date.now() / 1000)
  let accessToken = ''
  await handling(async (c) => {
    const sign = await prepareSigning(c)
    const claims = {
      sub: 'A'.repeat(22),
      aud: ISSUER,
      exp: now + 300,
      iat: now,
      jti: crypto.randomUUID(),
      client_id: 'c',
      scope: '',
      ver: 0,
    }
    accessToken = await sign({ iss: ISSUER, ...claims, cnf: { jkt: jkt ?? '' } })
    return c.body(null)
  })(post())
  const userinfo = handling(async (c) => {
    const { claims } = await verifyBoundToken(c, c.get('services').verifier, { freshness: 'offline' })
    return c.json({ sub: claims.sub })
  })
  const url = `${ISSUER}/oauth/userinfo`
  const proof = await makeProof(key, { method: 'GET', url, now, accessToken })
  const ask = (scheme: string) => userinfo(new Request(url, { headers: { authorization: `${scheme} ${accessToken}`, dpop: proof } }))
  expect((await ask('Bearer')).status).toBe(401)
  expect(await (await ask('DPoP')).json()).toEqual({ sub: 'A'.repeat(22) })
  const replayed = await ask('DPoP')
  expect([replayed.status, replayed.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('error="invalid_dpop_proof"')])
})
