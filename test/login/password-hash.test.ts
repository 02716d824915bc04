import { describe, expect, test } from 'vitest'
import { CURRENT_PARAMETERS, decodePhc, encodePhc, hashPassword, needsRehash, newParameters } from '../../src/login/password-hash.ts'

const SALT = 'AAECAwQFBgcICQoLDA0ODw'
const current = { ...CURRENT_PARAMETERS, salt: SALT }

// Made with OpenSSL's Argon2id (node:crypto argon2Sync) over the UTF-8 bytes of the password and the bytes 0 to 15 as salt.
test.each([
  ['ASCII', 'correct battery horse staple', 'zyHoP8Kf-ng5tC4yTjdtOWxkQbKzbrv4a2ba9oCKroQ'],
  ['two-byte characters', 'pässwörter für jedermann', 'Hqk9xnstKLuqzNmDJ1JNkZI0KQHvUmLDrCIl9Rw6UKI'],
  ['three-byte characters', '密码很长很长的一句话在这里写完了', 'mlqqFZ-SNUTephwrpdQa8moOBj3uYvXqYrDmLPUsKdc'],
  ['four-byte characters', '🔑🚪🏰🌉🔑🚪🏰🌉🔑🚪🏰🌉🔑🚪🏰🌉', 'LGZdyYm0aAIjP2wpsAbV0mH6HA1juwEjXNpwU4uolOQ'],
  ['NUL characters', 'nul\0within\0the\0text', '6y_JrUsUX5GPFNi0tGKlrftj5Dq5QT6DgS7fZFwN7dg'],
  ['the longest password', 'é'.repeat(256), 'NVGy8xUdmTVHD338JH05qAM7zr1665irsQnRtHIPHbw'],
])('%s hash as another implementation of RFC 9106 hashes them', (_, password, digest) => {
  expect(hashPassword(password, current)).toBe(digest)
})

test('the cost comes from the parameters, not from the present default', () => {
  const digest = hashPassword('correct battery horse staple', { alg: 'argon2id', m: 64, t: 1, p: 1, salt: SALT })
  expect(digest).toBe('QHQmkgf98hJEYedpx8gLbqoeRkyOq9ke6PaNXRvkkSw')
})

test.each(['pässwörter für jedermann', '🔑🚪🏰🌉🔑🚪🏰🌉', 'correct battery horse staple'])(
  'every last character counts: %s',
  (password) => {
    const cut = [...password].slice(0, -1).join('')
    const digests = [password, cut, `${cut}x`, `${cut}.`, `${password}.`].map((text) => hashPassword(text, current))
    expect(new Set(digests).size).toBe(digests.length)
  },
)

test('the same password has another digest under another salt', () => {
  const [one, other] = [newParameters(), newParameters()]
  expect(one.salt).not.toBe(other.salt)
  expect(hashPassword('violet-otter-41-lantern', one)).not.toBe(hashPassword('violet-otter-41-lantern', other))
})

test('a salt that is not base64url is a bug, not a hash', () => {
  expect(() => hashPassword('violet-otter-41-lantern', { ...current, salt: 'no+salt' })).toThrow('salt')
})

describe('a PHC string', () => {
  const digest = 'zyHoP8Kf-ng5tC4yTjdtOWxkQbKzbrv4a2ba9oCKroQ'
  const phc = '$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$zyHoP8Kf+ng5tC4yTjdtOWxkQbKzbrv4a2ba9oCKroQ'

  test('is written in the standard alphabet and read back', () => {
    expect(encodePhc(current, digest)).toBe(phc)
    expect(decodePhc(phc)).toEqual({ parameters: current, digest })
  })

  test.each([
    ['nothing', ''],
    ['another algorithm', phc.replace('argon2id', 'argon2i')],
    ['another version', phc.replace('v=19', 'v=16')],
    ['no version', phc.replace('v=19$', '')],
    ['a cost of nothing', phc.replace('t=2', 't=0')],
    ['a missing cost', phc.replace(',p=1', '')],
    ['the URL alphabet', phc.replace('+', '-')],
    ['padding', `${phc}=`],
    ['a shorter digest', phc.slice(0, -4)],
    ['a line behind it', `${phc}\n`],
    ['an empty salt', phc.replace('AAECAwQFBgcICQoLDA0ODw', '')],
    ['text before it', ` ${phc}`],
  ])('with %s is refused', (_, text) => {
    expect(decodePhc(text)).toBeNull()
  })
})

test.each([
  ['less memory', { m: 9_216 }],
  ['fewer passes', { t: 1 }],
  ['more lanes', { p: 4 }],
  ['a shorter salt', { salt: 'AAECAwQFBgc' }],
])('a hash with %s is due for a new one', (_, change) => {
  expect(needsRehash({ ...current, ...change })).toBe(true)
})

test('a hash with the present parameters is not due for a new one', () => {
  expect(needsRehash(newParameters())).toBe(false)
})
