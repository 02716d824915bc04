import { expect, test } from 'vitest'
import { claimsAt, codeOf, fail, Issuer, makeKey, START, signToken } from './issuer.ts'

const signingKey = await makeKey('k1')
const stolen = await makeKey('k2')

// A live answer stands in for a view that is too old. What it is kept for must be what it was about.

test('an answer about a good token does not stand in for another one of the same jti, signed with a stolen key that is denied', async () => {
  const issuer = new Issuer(signingKey)
  issuer.keys = [signingKey.jwk, stolen.jwk]
  const verifier = issuer.verifier()
  const claims = claimsAt(START, { jti: 'mine' })
  const good = await signToken(signingKey, { alg: 'ES256', kid: 'k1', typ: 'at+jwt' }, claims)
  const forged = await signToken(stolen, { alg: 'ES256', kid: 'k2', typ: 'at+jwt' }, { ...claims, sub: 'somebody-else', roles: ['admin'] })
  issuer.onFeed = fail
  expect(await codeOf(verifier.verifyToken(good))).toBe('accepted')
  issuer.keys = [signingKey.jwk]
  expect(await codeOf(verifier.verifyToken(forged))).toBe('token_revoked')
  expect(await codeOf(verifier.verifyToken(good))).toBe('accepted')
})

test.each(['fresh', 'live'] as const)('an answer to a %s question is kept no longer than the view spoke for the key', async (freshness) => {
  const issuer = new Issuer(signingKey)
  issuer.keys = [signingKey.jwk, stolen.jwk]
  // Older than the epoch: the view alone does not do.
  issuer.header.epochStart = (START + 1) * 1000
  const verifier = issuer.verifier({ freshFor: 4900 })
  const token = await signToken(stolen, { alg: 'ES256', kid: 'k2', typ: 'at+jwt' }, claimsAt(START))
  await verifier.verifyToken(await issuer.token())
  issuer.onFeed = fail
  issuer.advance(4900)
  expect(await verifier.verifyToken(token, { freshness })).toMatchObject({ freshness: 'live' })
  // It is denied; nobody can say so but the key set.
  issuer.keys = [signingKey.jwk]
  issuer.advance(101)
  expect(issuer.doubted).not.toContain('k2')
  expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
  expect(issuer.doubted.at(-1)).toBe('k2')
})
