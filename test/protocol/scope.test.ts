import { expect, test } from 'vitest'
import { includesScope, parseScope } from '../../src/protocol/scope.ts'

test.each([
  ['openid', ['openid']],
  ['openid profile email', ['openid', 'profile', 'email']],
  ['b a b a', ['b', 'a']],
  ['https://api.example/read notes:write', ['https://api.example/read', 'notes:write']],
  ['!#[]~', ['!#[]~']],
])('%j is a scope, in order and without repeats', (text, scopes) => {
  expect(parseScope(text)).toEqual(scopes)
})

test.each(['', ' ', ' a', 'a ', 'a  b', 'a\tb', 'a\nb', 'a"b', 'a\\b', 'é', 'a\u00a0b', 'a\x7f', '\x00'])('%j is not a scope', (text) => {
  expect(parseScope(text)).toBeNull()
})

test.each([
  ['a b c', 'b', true],
  ['a b c', 'c a', true],
  ['a b c', 'd', false],
  ['a b c', 'a d', false],
  ['ab', 'a', false],
  ['a', '', true],
  ['', 'a', false],
  ['', '', true],
])('%j granted covers %j wanted: %s', (granted, wanted, covered) => {
  expect(includesScope(granted, wanted)).toBe(covered)
})

test('lists and scope strings mean the same', () => {
  expect(includesScope(['a', 'b'], 'b a')).toBe(true)
  expect(includesScope('a b', ['b'])).toBe(true)
  expect(includesScope(['a'], ['a', 'b'])).toBe(false)
})
