import { expect, test } from 'vitest'
import { checkClaims } from '../../src/sdk/check-claims.ts'
import { claimsAt, ISSUER, START } from './issuer.ts'

const rules = { issuer: ISSUER, audiences: [ISSUER, 'https://api.example'], clockTolerance: 0, maxLifetime: 300 }
const check = (more: Record<string, unknown>, now = START, with_ = rules) => checkClaims(claimsAt(START, more), with_, now)
const without = (name: string) => {
  const claims = claimsAt(START)
  delete claims[name]
  return checkClaims(claims, rules, START)
}

test('good claims come back typed, without the unknown ones, and frozen', () => {
  const claims = claimsAt(START, { grant_id: 'g' })
  const outcome = checkClaims({ ...claims, email: 'a@b.example' }, rules, START)
  expect(outcome).toEqual({ ok: true, claims })
  expect(outcome.ok && Object.isFrozen(outcome.claims) && Object.isFrozen(outcome.claims.roles)).toBe(true)
})

test.each(['sid', 'auth_time', 'acr', 'amr', 'roles'])('%s may be absent, and is then not there', (name) => {
  const outcome = without(name)
  expect(outcome.ok && Object.hasOwn(outcome.claims, name)).toBe(false)
  expect(outcome.ok).toBe(true)
})

test.each(['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'ver'])('%s may not be absent', (name) => {
  expect(without(name)).toMatchObject({ ok: false, error: 'token_invalid' })
})

const badTexts = ['', 1, null, true, [], ['a'], {}, 'a'.repeat(2049)]
test.each(['sub', 'jti', 'client_id', 'sid', 'acr', 'grant_id'].flatMap((name) => badTexts.map((value) => [name, value] as const)))(
  '%s may not be %j',
  (name, value) => {
    expect(check({ [name]: value })).toMatchObject({ ok: false, error: 'token_invalid' })
  },
)

const badTimes = ['1800000000', -1, 1.5, null, [START], {}, true, Number.POSITIVE_INFINITY, Number.NaN, 1e308, 2 ** 53, START * 1000]
test.each(['exp', 'iat'].flatMap((name) => badTimes.map((value) => [name, value] as const)))('%s may not be %j', (name, value) => {
  expect(check({ [name]: value })).toMatchObject({ ok: false, error: 'token_invalid' })
})

test.each([-1, 1.5, '3', null, 2 ** 32, Number.POSITIVE_INFINITY])('ver may not be %j', (ver) => {
  expect(check({ ver })).toMatchObject({ ok: false, error: 'token_invalid' })
})

test.each(['1800000000', -1, 1.5, null])('auth_time may not be %j', (auth_time) => {
  expect(check({ auth_time })).toMatchObject({ ok: false, error: 'token_invalid' })
})

test.each(['admin', null, {}])('roles may not be %j', (roles) => {
  expect(check({ roles })).toMatchObject({ ok: false, error: 'token_invalid' })
})

test.each([
  ['an empty one', ['']],
  ['a number', [1]],
  ['65 of them', Array.from({ length: 65 }, () => 'r')],
  ['a long one', ['a'.repeat(2049)]],
])('lists may not hold %s', (_name, list) => {
  expect(check({ roles: list })).toMatchObject({ ok: false })
  expect(check({ amr: list })).toMatchObject({ ok: false })
})

test('a scope may be empty, and has at most 2048 characters', () => {
  expect(check({ scope: '' })).toMatchObject({ ok: true })
  expect(check({ scope: 'a'.repeat(2048) })).toMatchObject({ ok: true })
  expect(check({ scope: 'a'.repeat(2049) })).toMatchObject({ ok: false })
  expect(check({ scope: ['a'] })).toMatchObject({ ok: false })
})

test.each([`${ISSUER}/`, ISSUER.toUpperCase(), 'https://auth.example.evil.example', 'http://auth.example', `${ISSUER}\u200b`, 1, null])(
  'the issuer %j is another one',
  (iss) => {
    expect(check({ iss })).toMatchObject({ ok: false, error: 'token_invalid' })
  },
)

test('each allowed audience is accepted', () => {
  expect(check({ aud: 'https://api.example' })).toMatchObject({ ok: true })
})

test.each([`${ISSUER}/`, 'https://API.example', 'https://other.example', [ISSUER], [ISSUER, 'x'], {}, null, 1, ''])(
  'the audience %j is another one',
  (aud) => {
    expect(check({ aud })).toMatchObject({ ok: false, error: 'token_invalid' })
  },
)

test.each([
  [300, true],
  [1, true],
  [301, false],
  [0, false],
  [-1, false],
  [31_536_000, false],
])('a lifetime of %i seconds: %s', (lifetime, accepted) => {
  expect(check({ exp: START + lifetime }).ok).toBe(accepted)
})

test.each([
  [0, 299, 'ok'],
  [0, 300, 'token_expired'],
  [10, 309, 'ok'],
  [10, 310, 'token_expired'],
  [0, -1, 'token_invalid'],
  [10, -10, 'ok'],
  [10, -11, 'token_invalid'],
])('with a tolerance of %i, %i seconds after its issue: %s', (clockTolerance, after, answer) => {
  const outcome = check({}, START + after, { ...rules, clockTolerance })
  expect(outcome.ok ? 'ok' : outcome.error).toBe(answer)
})

test('a token that is not valid yet is refused', () => {
  expect(check({ nbf: START })).toMatchObject({ ok: true })
  expect(check({ nbf: START + 1 })).toMatchObject({ ok: false, error: 'token_invalid' })
  expect(check({ nbf: 'now' })).toMatchObject({ ok: false, error: 'token_invalid' })
})

test('a binding is among the claims: the verifier asks whether its key was proven', () => {
  expect(check({ cnf: { jkt: 'thumbprint' } })).toMatchObject({ ok: true, claims: { cnf: { jkt: 'thumbprint' } } })
})

test.each([{}, { jkt: '' }, { jkt: 1 }, { 'x5t#S256': 'x' }, [], 'x', null])(
  'a token bound by %j is bound by nothing we know, and refused',
  (cnf) => {
    expect(check({ cnf })).toMatchObject({ ok: false, error: 'token_invalid' })
  },
)

test('who acts for whom comes back whole, and frozen to its end', () => {
  const act = { sub: 'billing', act: { sub: 'orders' } }
  const outcome = check({ act })
  expect(outcome).toMatchObject({ ok: true, claims: { act } })
  expect(outcome.ok && Object.isFrozen(outcome.claims.act) && Object.isFrozen(outcome.claims.act?.act)).toBe(true)
})

test.each([{}, { sub: '' }, { sub: 1 }, { sub: 'a', act: null }, { sub: 'a', act: {} }, { sub: 'a', act: 'b' }, [], ['a'], 'x', null])(
  'the actor %j is nobody, and the token refused',
  (act) => {
    expect(check({ act })).toMatchObject({ ok: false, error: 'token_invalid' })
  },
)

test('names of inherited things are no claims', () => {
  const claims = JSON.parse(`{"__proto__":${JSON.stringify(claimsAt(START))}}`)
  expect(checkClaims(claims, rules, START)).toMatchObject({ ok: false })
  const inherited = Object.fromEntries(Object.getOwnPropertyNames(Object.prototype).map((name) => [name, { sub: 'x' }]))
  const outcome = check({ ...inherited })
  expect(outcome.ok && Object.keys(outcome.claims).sort()).toEqual(Object.keys(claimsAt(START)).sort())
})
