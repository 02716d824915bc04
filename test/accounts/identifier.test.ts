import { describe, expect, test } from 'vitest'
import { locateIdentifier, normalizeEmail } from '../../src/accounts/identifier.ts'

describe('an e-mail address', () => {
  test.each([
    ['ann@example.com', 'ann@example.com'],
    ['  Ann@EXAMPLE.com\n', 'ann@example.com'],
    ['ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ', 'ann@example.com'],
    ['ﬁne@example.com', 'fine@example.com'],
    ['jürgen@example.com', 'jürgen@example.com'],
    ['ju\u0308rgen@example.com', 'jürgen@example.com'],
    ['ann+tag@sub.example.co.uk', 'ann+tag@sub.example.co.uk'],
  ])('%j is one spelling of %j', (typed, email) => {
    expect(normalizeEmail(typed)).toBe(email)
  })

  test.each([
    '',
    'ann',
    'ann@',
    '@example.com',
    'ann@@example.com',
    'a b@example.com',
    'ann@example',
    'ann@exa mple.com',
    'ann@example.com\u0000',
    'ann@\ud800.com',
    `${'a'.repeat(250)}@example.com`,
    'x'.repeat(5000),
  ])('%j is none', (typed) => {
    expect(normalizeEmail(typed)).toBeNull()
  })

  test('normalising twice changes nothing', () => {
    for (const typed of ['İstanbul@example.com', 'ẞ@example.com', 'Å@example.com', 'ΑΣ@example.com']) {
      const once = normalizeEmail(typed)
      expect(once && normalizeEmail(once)).toBe(once)
    }
  })

  test('lives in a shard that no secret decides', async () => {
    const { shard, digest } = await locateIdentifier('ann@example.com')
    expect(shard).toMatch(/^shard-\d{1,3}$/)
    expect((await locateIdentifier('ann@example.com')).digest).toEqual(digest)
    expect(shard).toBe(`shard-${new Uint8Array(digest)[0]}`)
  })
})
