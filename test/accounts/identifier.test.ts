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
    ['a@BÜCHER.de', 'a@xn--bcher-kva.de'],
    ['a@xn--bcher-kva.de', 'a@xn--bcher-kva.de'],
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
    'lo\u200bok@example.com',
    '\u00adlook@example.com',
    'look\u202e@example.com',
    'lo\u2028ok@example.com',
    'look@example.com\u200b',
    'look@exam\u00adple.com',
    '"x, y@evil.com"@example.com',
    'ann@127.0.0.1',
    'ann@0x7f.1',
    'ann@example.com:80',
    'ann@example.com/path',
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
