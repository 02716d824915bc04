import { decodeJwt, decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import { decodeBase64url, encodeBase64url } from '../../src/protocol/base64url.ts'
import { isB64token } from '../../src/protocol/bearer.ts'
import { parseToken } from '../../src/sdk/parse-token.ts'
import { diceOf } from './hostile-tokens.ts'
import { part } from './issuer.ts'

const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
const others = ['.', '=', '+', '/', ' ', '\n', '\t', '\f', '\0', 'é', '\u0100', '\u2028', '~', ',', '\ud800', '%']

/** Whether a text is the one canonical form of some bytes, by the letter of RFC 4648: six bits each, and none left over that is set. */
function isCanonical(text: string): boolean {
  if (text === '' || text.length % 4 === 1 || ![...text].every((character) => alphabet.includes(character))) return false
  const spare = ((text.length % 4) * 6) % 8
  return alphabet.indexOf(text.slice(-1)) % 2 ** spare === 0
}

test('4,000 texts near tokens: what is read has one spelling, which is a bearer token, and says the same to jose', () => {
  const { int, pick, text } = diceOf(20261121)
  let read = 0
  let refusedForSpelling = 0
  for (let made = 0; made < 4000; made++) {
    const header = { alg: pick(['ES256', 'EdDSA', 'RS256']), kid: pick(['k', 'k1', 'é', '🦊']), typ: 'at+jwt' }
    const payload = { sub: text(int(5)), n: int(9), t: pick(['a', 'é', '🦊', ':"{']) }
    const signature = encodeBase64url(Uint8Array.from({ length: pick([1, 2, 3, 64]) }, () => int(256)))
    let token = `${part(header)}.${part(payload)}.${signature}`
    for (let changes = int(3); changes > 0; changes--) {
      const at = int(3) === 0 ? token.length - int(3) : int(token.length + 1)
      token = token.slice(0, at) + pick([pick(alphabet), pick(others), '']) + token.slice(at + int(2))
    }
    const parts = token.split('.')
    const isSpelledWell = parts.length === 3 && parts.every(isCanonical)
    const parsing = parseToken(token, ['ES256', 'EdDSA', 'RS256'])
    if (!isSpelledWell) refusedForSpelling++
    expect([token, parts.every((spelled) => spelled === '' || (decodeBase64url(spelled) !== null) === isCanonical(spelled))]).toEqual([
      token,
      true,
    ])
    if (!parsing.ok) continue
    read++
    const { alg, kid, signed } = parsing.token
    expect([token, isSpelledWell, isB64token(token)]).toEqual([token, true, true])
    expect(`${signed}.${encodeBase64url(parsing.token.signature)}`).toBe(token)
    expect(decodeProtectedHeader(token)).toEqual({ alg, kid, typ: 'at+jwt' })
    expect(decodeJwt(token)).toEqual(parsing.token.payload)
  }
  expect(read).toBeGreaterThan(1000)
  expect(refusedForSpelling).toBeGreaterThan(1000)
})
