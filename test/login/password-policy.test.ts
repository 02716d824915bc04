import { describe, expect, test } from 'vitest'
import {
  checkNewPassword,
  DEFAULT_MIN_LENGTH,
  MAX_PASSWORD_LENGTH,
  type NewPasswordContext,
  normalizePassword,
} from '../../src/login/password-policy.ts'

const ALICE = { email: 'alice.wonder@wonderland.example', name: 'Alice Liddell-Hargreaves' }

function check(password: string, context: Partial<NewPasswordContext> = {}) {
  return checkNewPassword(password, { minLength: DEFAULT_MIN_LENGTH, ...context })
}

function codeOf(password: string, context: Partial<NewPasswordContext> = {}): string {
  const outcome = check(password, context)
  return outcome.ok ? 'ok' : outcome.code
}

/** mulberry32: the same passwords at each run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('a password is taken', () => {
  test.each([
    'correct battery horse staple',
    'correct horse battery staple',
    'violet-otter-41-lantern',
    'the quick brown fox jumps',
    'sallyport is my favourite gate',
    'only lower case letters',
    '48213 90577 16624',
    'пароль-и-длинная-фраза',
    '今日はとても良い天気ですね散歩',
    'Ünïcödé über alles, ja?',
    '🐙 quatre huit quinze 🐙',
    ' a space at either end ',
  ])('%s', (password) => {
    expect(check(password)).toEqual({ ok: true, password })
  })

  test.each([
    ['any printable character', Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('')],
    ['letters and digits', 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'],
    ['lower case letters only', 'abcdefghijklmnopqrstuvwxyz'],
    ['hexadecimal digits', '0123456789abcdef'],
  ])('2,000 random ones of %s', (_, alphabet) => {
    const random = seeded(alphabet.length)
    const refused = Array.from({ length: 2_000 }, () => {
      const length = 15 + Math.floor(random() * 20)
      return Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
    }).filter((password) => codeOf(password) !== 'ok')
    expect(refused).toEqual([])
  })
})

describe('length', () => {
  const long = (length: number) =>
    Array.from({ length }, (_, index) => String.fromCodePoint(0x4e00 + ((index * index * 7_919) % 20_000))).join('')

  test.each([
    [14, 'password_too_short'],
    [15, 'ok'],
    [64, 'ok'],
    [MAX_PASSWORD_LENGTH, 'ok'],
    [MAX_PASSWORD_LENGTH + 1, 'password_too_long'],
    [100_000, 'password_too_long'],
  ])('%i characters: %s', (length, code) => {
    expect(codeOf(long(length))).toBe(code)
  })

  test('counts code points, neither bytes nor UTF-16 units', () => {
    const emoji = (length: number) =>
      Array.from({ length }, (_, index) => String.fromCodePoint(0x1f300 + ((index * index * 37) % 199))).join('')
    expect(codeOf(emoji(14))).toBe('password_too_short')
    expect(codeOf(emoji(15))).toBe('ok')
    expect(codeOf(emoji(256))).toBe('ok')
    expect(codeOf(emoji(257))).toBe('password_too_long')
  })

  test('is that of the composed form', () => {
    expect(codeOf('vio\u0308let otter 4')).toBe('password_too_short')
    expect(codeOf('vio\u0308let otter 41')).toBe('ok')
  })

  test('another minimum can be asked for, and scales the rest with it', () => {
    expect(codeOf('j8!kq2Zx', { minLength: 8 })).toBe('ok')
    expect(codeOf('j8!kq2Z', { minLength: 8 })).toBe('password_too_short')
    for (const common of ['password', 'sunshine', 'qwerty12', 'iloveyou1']) expect(codeOf(common, { minLength: 8 })).toBe('password_common')
  })
})

describe('a common password is refused', () => {
  test.each([
    ['a repeated word', 'passwordpassword1'],
    ['one character', 'aaaaaaaaaaaaaaaa'],
    ['one character that folding takes apart', '\ufdfa'.repeat(15)],
    ['one character of another script', 'ёёёёёёёёёёёёёёёё'],
    ['a short unit', 'abcabcabcabcabc'],
    ['a random unit', 'K7$wPqK7$wPqK7$wPq'],
    ['a unit and a tail', 'Tr0ub4dor&3Tr0ub4dor&3!'],
    ['a unit cut short', 'xkqvbxkqvbxkqvbxk'],
    ['digits in order', '123456789012345'],
    ['digits backwards', '9876543210987654'],
    ['the alphabet', 'abcdefghijklmnop'],
    ['a row of the keyboard', 'qwertyuiopasdfgh'],
    ['a zigzag', '1q2w3e4r5t6y7u8i'],
    ['columns', '1qaz2wsx3edc4rfv'],
    ['columns with shift', '!QAZ2wsx#EDC4rfv'],
    ['columns up and down', 'zaq12wsxcde34rfv'],
    ['letters and digits in turn', 'a1b2c3d4e5f6g7h8'],
    ['triples', '111222333444555'],
    ['a padded word', 'password1234567'],
    ['a padded word, disguised', 'P@ssw0rd!!!!!!!'],
    ['a word, a year and a mark', 'Sunshine2024!!!'],
    ['padding at either end', '!!!!!dragon!!!!!'],
    ['a padded zero row', 'letmein00000000'],
    ['a padded leaked password', '1qaz2wsx3edc4rfv#7'],
    ['two words joined', 'monkey-dragon-1'],
  ])('%s: %s', (_, password) => {
    expect(codeOf(password)).toBe('password_common')
  })

  // Of 15 characters and more, from the top to the end of the list that blocklist.ts is made of, few of them a pattern.
  test.each([
    'Mailcreated5240',
    'Hd764nW5d7E1vb1',
    'perasperaadastra',
    '30secondstomars',
    'neversaymypassword',
    'stairwaytoheaven',
    'youngandrestless',
    'professionaltools',
    'incrediblereview',
    'spectrumsonline',
    'rumpelstiltzkin',
    'rainbowskittles',
    'mychemicalromance',
    'moneyfornothing',
    'happytreefriends',
    'avengedsevenfold',
    'allyouneedislove',
    'raidersofthelostark',
    'thisismypassword',
    'BfmXu6UluyGXiyPj',
    'antagonistically',
    'andjusticeforall',
    'alwaysandforever',
    '500daysofsummer',
    'ZeroTheBurninator',
    'vladivostok8692',
  ])('leaked: %s', (password) => {
    expect(codeOf(password)).toBe('password_common')
    expect(codeOf(password.toUpperCase())).toBe('password_common')
  })
})

describe('a password that leans on what everybody knows is refused', () => {
  test.each([
    ['the address', 'alice.wonder@wonderland.example'],
    ['the address and digits', 'Alice.Wonder@Wonderland.example1865'],
    ['the local part', 'alice.wonder-x7-tea'],
    ['a part of the local part', 'wonder wonder 9 tea'],
    ['the domain', 'wonderland.example#41'],
    ['a label of the domain', '41 in wonderland!'],
    ['the name', 'Alice Liddell-Hargreaves!'],
    ['the name without spaces', 'aliceliddellhargreaves'],
    ['a part of the name', 'liddell-on-tuesday'],
    ['the service', 'sallyport-gate-41'],
    ['the service, twice', 'SallyportSallyport'],
  ])('%s', (_, password) => {
    expect(codeOf(password, ALICE)).toBe('password_contains_identifier')
  })

  test('but may hold such a word beside a password that would do by itself', () => {
    expect(codeOf('alice keeps violet otters in lanterns', ALICE)).toBe('ok')
  })

  test('and words too short to mean anything are no such words', () => {
    expect(codeOf('violet-otter-41', { email: 'ot@te.org', name: 'Vi Ter' })).toBe('ok')
  })

  test('and a name or an address that is empty or no address harms nothing', () => {
    expect(codeOf('violet-otter-41', { email: '', name: '' })).toBe('ok')
    expect(codeOf('violet-otter-41', { email: '@', name: ' \u0000 '.repeat(500) })).toBe('ok')
  })
})

describe('a malformed password is refused', () => {
  test.each([
    ['a lone surrogate', 'violet-otter-\ud83d-lantern'],
    ['a lone low surrogate', 'violet-otter-\udd11-lantern'],
    ['NUL', 'violet-otter-\u0000-lantern'],
    ['a line feed', 'violet-otter-41-lantern\n'],
    ['a C1 control', 'violet-otter-\u0085-lantern'],
  ])('%s', (_, password) => {
    expect(codeOf(password)).toBe('password_malformed')
  })
})

test('every refusal says why in a sentence without the password', () => {
  for (const password of [
    'short-otter',
    'password1234567',
    'alice.wonder@wonderland.example',
    `${'otter '.repeat(60)}`,
    'violet-otter\u0007-lantern',
  ]) {
    const outcome = check(password, ALICE)
    if (outcome.ok) throw new Error(`taken: ${password}`)
    expect(outcome.detail).toMatch(/^The password .+\.$/)
    expect(outcome.detail.toLowerCase()).not.toContain(password.toLowerCase().trim())
  }
})

test('composed and decomposed spellings are one password, at sign-up and at sign-in', () => {
  const decomposed = 'vio\u0308let-otter-41-lantern'
  const composed = 'viölet-otter-41-lantern'
  expect(check(decomposed)).toEqual({ ok: true, password: composed })
  expect(normalizePassword(decomposed)).toBe(composed)
  expect(normalizePassword(composed)).toBe(composed)
})

describe('at sign-in', () => {
  test.each(['short', 'password', ' Case And Space ', 'tab\tand\u0000nul', 'ﬁne ligature'])('no rule changes or refuses %j', (password) => {
    expect(normalizePassword(password)).toBe(password)
  })

  test('what no stored password can be is no password', () => {
    expect(normalizePassword('ab'.repeat(MAX_PASSWORD_LENGTH / 2))).not.toBeNull()
    expect(normalizePassword('x'.repeat(MAX_PASSWORD_LENGTH + 1))).toBeNull()
    expect(normalizePassword('x'.repeat(1_000_000))).toBeNull()
    expect(normalizePassword('violet-otter-\ud83d-lantern')).toBeNull()
  })
})
