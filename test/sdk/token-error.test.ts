import { expect, test } from 'vitest'
import { TokenError, type TokenErrorCode } from '../../src/sdk/index.ts'

test.each<[TokenErrorCode, number, string | null]>([
  ['token_missing', 401, 'Bearer'],
  ['token_malformed', 400, 'Bearer error="invalid_request"'],
  ['token_invalid', 401, 'Bearer error="invalid_token"'],
  ['token_expired', 401, 'Bearer error="invalid_token", error_description="expired"'],
  ['token_outdated', 401, 'Bearer error="invalid_token", error_description="outdated"'],
  ['token_revoked', 401, 'Bearer error="invalid_token", error_description="revoked"'],
  ['insufficient_scope', 403, 'Bearer error="insufficient_scope"'],
  ['insufficient_role', 403, 'Bearer error="insufficient_scope", error_description="role"'],
  ['reauthentication_required', 401, 'Bearer error="insufficient_user_authentication"'],
  ['verifier_unavailable', 503, null],
])('%s answers %i with its challenge, as problem details', async (code, status, challenge) => {
  const error = new TokenError(code, 'the private reason')
  expect(error).toBeInstanceOf(Error)
  expect(error.challenge ?? null).toBe(challenge)
  const response = error.getResponse()
  expect(response.status).toBe(status)
  expect(response.headers.get('www-authenticate')).toBe(challenge)
  expect(response.headers.get('retry-after')).toBe(status === 503 ? '1' : null)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.headers.get('cache-control')).toBe('no-store')
  const body = await response.text()
  expect(JSON.parse(body)).toMatchObject({ status, code, detail: expect.any(String) })
  expect(body).not.toContain('private')
})

test('what a route needs stands in the challenge', () => {
  expect(new TokenError('insufficient_scope', '', { scope: 'a b' }).challenge).toBe('Bearer error="insufficient_scope", scope="a b"')
  expect(new TokenError('reauthentication_required', '', { max_age: 60 }).challenge).toBe(
    'Bearer error="insufficient_user_authentication", max_age="60"',
  )
})
