import { expect, test } from 'vitest'
import { readBearer } from '../../src/protocol/bearer.ts'
import { TokenError } from '../../src/sdk/index.ts'
import { hostileTokens, isHeaderText, type Loot } from './hostile-tokens.ts'
import { claimsAt, Issuer, makeKey, part, START, sign, signToken } from './issuer.ts'

const COUNT = 3000
const header = { alg: 'ES256', kid: 'k1', typ: 'at+jwt' }
const signingKey = await makeKey('k1')
const stranger = await makeKey('k1')

const lootOf = async (key = signingKey): Promise<Loot> => {
  const claims = claimsAt(START)
  const token = await signToken(signingKey, header, claims)
  return { token, header, claims, publicJwk: signingKey.jwk, sign: (signed) => sign(key, signed) }
}

test.each([
  ['signed with the issuer’s own key, where they can be', signingKey, 20261121],
  ['signed with another key', stranger, 20261122],
])('of %s: 3,000 hostile tokens, none is accepted and all look the same', async (_name, key, seed) => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier()
  const loot = await lootOf(key)
  await verifier.verifyToken(loot.token)
  let tried = 0
  const answers = new Map<string, string>()
  for await (const { attack, token } of hostileTokens(loot, COUNT, seed)) {
    tried++
    const error = await verifier.verifyToken(token).then(
      () => new Error(`accepted: ${attack}: ${token}`),
      (caught: unknown) => caught,
    )
    if (!(error instanceof TokenError)) throw error
    answers.set(`${error.code} ${error.status} ${error.challenge}`, attack)
  }
  expect(tried).toBeGreaterThan(2900)
  expect([...answers.keys()]).toEqual(['token_invalid 401 Bearer error="invalid_token"'])
})

test('through a request they are invalid tokens, or malformed ones; never anything else', async () => {
  const verifier = new Issuer(signingKey).verifier()
  let tried = 0
  const loot = await lootOf()
  for await (const { token } of hostileTokens(loot, COUNT, 20261123)) {
    // White space around a header's value is not part of it.
    if (token.trim() === loot.token || !isHeaderText(token)) continue
    const request = new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
    tried++
    const isBearer = readBearer(request.headers, request.url).ok
    const error = await verifier.verify(request).catch((caught: unknown) => caught)
    if (!(error instanceof TokenError)) throw error
    expect([error.code, error.status]).toEqual(isBearer ? ['token_invalid', 401] : ['token_malformed', 400])
  }
  expect(tried).toBeGreaterThan(2000)
})

test('the generator’s good token is good, so that what it is made from proves something', async () => {
  const loot = await lootOf()
  const verifier = new Issuer(signingKey).verifier()
  expect((await verifier.verifyToken(loot.token)).claims).toEqual(loot.claims)
  expect((await verifier.verifyToken(await loot.sign(`${part(loot.header)}.${part(loot.claims)}`))).claims).toEqual(loot.claims)
})
