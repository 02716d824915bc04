import { beforeAll, describe, expect, test } from 'vitest'
import { openSecretRing, type SecretRing } from '../../src/keys/secret-ring.ts'
import { openDeviceCookie, sealDeviceCookie } from '../../src/tokens/device-cookie.ts'
import { randomId } from '../../src/tokens/random-id.ts'
import { openRefreshToken, sealRefreshToken } from '../../src/tokens/refresh-token.ts'
import { openSessionCookie, sealSessionCookie } from '../../src/tokens/session-cookie.ts'

const OLD = 'an-old-secret-of-at-least-32-characters'
const NEW = 'a-new-secret-of-at-least-32-characters!'
const OTHER = "somebody-else's-secret-of-32-characters"

let ring: SecretRing
beforeAll(async () => {
  ring = await openSecretRing([NEW, OLD])
})

const secret = () => crypto.getRandomValues(new Uint8Array(16))
const session = () => ({ sub: randomId(), sid: randomId(), secret: secret() })
const refresh = () => ({ sub: randomId(), grant_id: randomId(), generation: 0xfedc_ba98, secret: secret() })

describe('an opaque token', () => {
  test('opens to what was sealed, whatever its kind', async () => {
    const cookie = session()
    expect(await openSessionCookie(ring, await sealSessionCookie(ring, cookie))).toEqual(cookie)
    const token = refresh()
    expect(await openRefreshToken(ring, (await sealRefreshToken(ring, token, ring.newest.id)) ?? '')).toEqual(token)
    const device = { sub: randomId(), device: randomId(), issued_at: 1_800_000_000 }
    expect(await openDeviceCookie(ring, await sealDeviceCookie(ring, device))).toEqual(device)
  })

  test('is never accepted as another kind', async () => {
    const cookie = await sealSessionCookie(ring, session())
    const token = (await sealRefreshToken(ring, refresh(), ring.newest.id)) ?? ''
    const device = await sealDeviceCookie(ring, { sub: randomId(), device: randomId(), issued_at: 1_800_000_000 })
    expect([await openRefreshToken(ring, cookie), await openDeviceCookie(ring, cookie)]).toEqual([null, null])
    expect([await openSessionCookie(ring, token), await openDeviceCookie(ring, token)]).toEqual([null, null])
    expect([await openSessionCookie(ring, device), await openRefreshToken(ring, device)]).toEqual([null, null])
  })

  test('of another deployment does not open', async () => {
    const stranger = await openSecretRing([OTHER])
    expect(await openSessionCookie(ring, await sealSessionCookie(stranger, session()))).toBeNull()
  })

  test('with any one character changed, dropped or added does not open', async () => {
    const value = await sealSessionCookie(ring, session())
    for (let at = 0; at < value.length; at++) {
      for (const other of ['A', 'B', '-', '_', '=', ' ']) {
        const changed = value.slice(0, at) + other + value.slice(at + 1)
        if (changed !== value) expect(await openSessionCookie(ring, changed)).toBeNull()
      }
      expect(await openSessionCookie(ring, value.slice(0, at) + value.slice(at + 1))).toBeNull()
    }
    expect(await openSessionCookie(ring, `${value}A`)).toBeNull()
    expect(await openSessionCookie(ring, '')).toBeNull()
  })

  test('has one spelling: the slack bits of its last character are checked', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const value = await sealSessionCookie(ring, session())
    const twins = [...alphabet].filter((last) => last !== value.at(-1)).map((last) => value.slice(0, -1) + last)
    for (const twin of twins) expect(await openSessionCookie(ring, twin)).toBeNull()
  })
})

describe('a rotated secret', () => {
  test('goes on opening what it made, while the newest makes', async () => {
    const before = await openSecretRing([OLD])
    const cookie = session()
    expect(await openSessionCookie(ring, await sealSessionCookie(before, cookie))).toEqual(cookie)
    expect(ring.newest.id).not.toBe(before.newest.id)
  })

  test('opens nothing once it has left the ring', async () => {
    const value = await sealSessionCookie(await openSecretRing([OLD]), session())
    expect(await openSessionCookie(await openSecretRing([NEW]), value)).toBeNull()
  })

  test('seals one generation as the same bytes while it is in the ring, and says so when it is not', async () => {
    const before = await openSecretRing([OLD])
    const token = refresh()
    const sealed = await sealRefreshToken(before, token, before.newest.id)
    expect(await sealRefreshToken(ring, token, before.newest.id)).toBe(sealed)
    expect(await sealRefreshToken(await openSecretRing([NEW]), token, before.newest.id)).toBeUndefined()
  })
})
