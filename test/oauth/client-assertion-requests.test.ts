import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Client, KnownClient } from '../../src/clients/client.ts'
import { verifyClientAssertion } from '../../src/http/oauth/client-assertion.ts'
import { clientKeys, type FetchKeys } from '../../src/http/oauth/client-keys.ts'
import { ASSERTION_TYPE } from '../../src/oauth/client-assertion.ts'
import { knownClient } from './clients.ts'
import { type Change, type ClientKey, type Members, makeAssertion, makeClientKey } from './proofs.ts'
import { handling, ISSUER } from './requests.ts'

afterEach(() => {
  vi.useRealTimers()
})

const never: FetchKeys = () => Promise.reject(new Error('nothing is to be fetched'))
const [key, next] = await Promise.all([makeClientKey(), makeClientKey()])
const setOf = (...keys: [string, ClientKey][]) => ({ keys: keys.map(([kid, { jwk }]): Members => ({ ...jwk, kid })) })

const byValue = (changes: Partial<Client> = {}) => knownClient({ jwks: setOf(['k1', key]), ...changes })
const byReference = () => knownClient({ jwks_uri: `https://client.example/${crypto.randomUUID()}` })

const now = () => Math.floor(Date.now() / 1000)
const assertionOf = ({ client }: KnownClient, change: Change = {}, signer = key) =>
  makeAssertion(signer, { client_id: client.client_id, issuer: ISSUER, now: now() }, { header: { kid: 'k1' }, ...change })

async function verify(known: KnownClient, client_assertion: string, fetchKeys = never) {
  const presented = { client_assertion_type: ASSERTION_TYPE, client_assertion }
  const answer = handling(async (c) => c.json(await verifyClientAssertion(c, known, presented, fetchKeys)))
  return (await answer(new Request(`${ISSUER}/oauth/token`, { method: 'POST' }))).json<{ ok: boolean; error?: string; reason?: string }>()
}

test('a client proves itself by its own key, by value', async () => {
  const known = byValue()
  expect(await verify(known, await assertionOf(known))).toEqual({ ok: true })
  expect(await verify(known, await assertionOf(known, {}, next))).toMatchObject({ ok: false, error: 'invalid_client' })
})

test('an assertion is good once, also when it comes 30 times at once', async () => {
  const known = byValue()
  const assertion = await assertionOf(known)
  const answers = await Promise.all(Array.from({ length: 30 }, () => verify(known, assertion)))
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
  expect(await verify(known, assertion)).toMatchObject({ ok: false, reason: 'the assertion was used before' })
})

test('a jti of one client uses up none of another’s', async () => {
  const [one, two] = [byValue(), byValue()]
  const claims = { jti: 'the same' }
  expect(await verify(one, await assertionOf(one, { claims }))).toEqual({ ok: true })
  expect(await verify(two, await assertionOf(two, { claims }))).toEqual({ ok: true })
  expect(await verify(two, await assertionOf(one, { claims: { jti: 'x' } }))).toMatchObject({ ok: false, reason: 'iss' })
})

test('a bad signature uses up no jti', async () => {
  const known = byValue()
  const claims = { jti: 'the same' }
  expect(await verify(known, await assertionOf(known, { claims }, next))).toMatchObject({ ok: false })
  expect(await verify(known, await assertionOf(known, { claims }))).toEqual({ ok: true })
})

test.each(['none', 'client_secret_basic', 'client_secret_post'] as const)('a client of the method %s has no assertions', async (method) => {
  const known = byValue({ token_endpoint_auth_method: method })
  expect(await verify(known, await assertionOf(known))).toMatchObject({ ok: false, error: 'invalid_client' })
})

describe('keys by reference', () => {
  test('are fetched once, and only for an assertion that says the right things', async () => {
    const known = byReference()
    const fetchKeys = vi.fn<FetchKeys>(async () => setOf(['k1', key]))
    expect(await verify(known, await assertionOf(known, { claims: { aud: 'x' } }), fetchKeys)).toMatchObject({ ok: false })
    expect(await verify(known, 'x', fetchKeys)).toMatchObject({ ok: false })
    expect(fetchKeys).not.toHaveBeenCalled()
    for (let count = 0; count < 3; count++) expect(await verify(known, await assertionOf(known), fetchKeys)).toEqual({ ok: true })
    expect(fetchKeys.mock.calls).toEqual([[known.client.jwks_uri]])
  })

  test('that cannot be had are no refusal of the client', async () => {
    const known = byReference()
    expect(await verify(known, await assertionOf(known))).toMatchObject({ ok: false, error: 'unavailable' })
    const nowhere = knownClient()
    expect(await verify(nowhere, await assertionOf(nowhere))).toMatchObject({ ok: false, error: 'unavailable' })
  })

  test('are fetched again for a kid that is new, once in ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const known = byReference()
    let set = setOf(['k1', key])
    const fetchKeys = vi.fn<FetchKeys>(async () => set)
    const newer = () => assertionOf(known, { header: { kid: 'k2' } }, next)
    expect(await verify(known, await assertionOf(known), fetchKeys)).toEqual({ ok: true })
    for (let count = 0; count < 5; count++) expect(await verify(known, await newer(), fetchKeys)).toMatchObject({ ok: false })
    expect(fetchKeys).toHaveBeenCalledTimes(1)
    set = setOf(['k2', next])
    vi.setSystemTime(Date.now() + 10_000)
    expect(await verify(known, await newer(), fetchKeys)).toEqual({ ok: true })
    expect(await verify(known, await assertionOf(known), fetchKeys)).toMatchObject({ ok: false })
    expect(fetchKeys).toHaveBeenCalledTimes(2)
  })

  test('that were taken away are good for five minutes at most', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const known = byReference()
    let set = setOf(['k1', key])
    const fetchKeys: FetchKeys = async () => set
    expect(await verify(known, await assertionOf(known), fetchKeys)).toEqual({ ok: true })
    set = setOf(['k2', next])
    vi.setSystemTime(Date.now() + 300_000)
    expect(await verify(known, await assertionOf(known), fetchKeys)).toMatchObject({ ok: false, error: 'invalid_client' })
  })

  test('stand in for an hour while the client’s host is away', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const known = byReference()
    await verify(known, await assertionOf(known), async () => setOf(['k1', key]))
    vi.setSystemTime(Date.now() + 3_000_000)
    expect(await verify(known, await assertionOf(known))).toEqual({ ok: true })
    vi.setSystemTime(Date.now() + 700_000)
    expect(await verify(known, await assertionOf(known))).toMatchObject({ ok: false, error: 'unavailable' })
  })

  test('are fetched once for those who ask at once, and a fetch that hangs is given up on', async () => {
    const url = `https://client.example/${crypto.randomUUID()}`
    let release: (set: object) => void = () => {}
    const fetchKeys = vi.fn<FetchKeys>(() => new Promise((resolve) => (release = resolve)))
    let nowMs = 1_000_000
    const ask = () => clientKeys(url, fetchKeys, 'any', () => nowMs)
    const asked = Array.from({ length: 20 }, ask)
    release(setOf(['k1', key]))
    for (const keys of await Promise.all(asked)) expect(keys).toHaveLength(1)
    expect(fetchKeys).toHaveBeenCalledTimes(1)
    nowMs += 4_000_000
    const lost = ask()
    const waiting = ask()
    nowMs += 5000
    expect(await waiting).toBe(null)
    nowMs += 5000
    const again = ask()
    release(setOf(['k1', key], ['k2', next]))
    expect(await again).toHaveLength(2)
    expect(fetchKeys).toHaveBeenCalledTimes(3)
    void lost
  })

  test('are kept without what a stranger wrote beside them: an isolate holds hundreds of sets', async () => {
    const bulk = Array.from({ length: 1000 }, () => [])
    const keys = [bulk, 1, null, 'x', { bulk }, { ...key.jwk, kid: 'k1', x5c: bulk }, { ...key.jwk, d: 'private' }]
    const kept = await clientKeys(`https://client.example/${crypto.randomUUID()}`, async () => ({ keys }))
    expect(kept).toEqual([{ ...key.jwk, kid: 'k1', use: 'sig' }])
  })

  test.each([{}, { keys: 'x' }, { keys: {} }, []])('the document %j is no key set', async (document) => {
    expect(await clientKeys(`https://client.example/${crypto.randomUUID()}`, async () => document)).toBe(null)
  })
})
