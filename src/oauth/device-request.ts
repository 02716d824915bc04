/**
 * The device flow (RFC 8628): what a device waits for, found by the code that a person types. Pure decisions over the one row; the person's
 * account makes the authorization code that the device then redeems, so that single use has one arbiter.
 */
import { equalBytes, hashSecret } from '../sessions/prove.ts'
import type { DeviceRequest, DeviceRequestStore } from './device-request-store.ts'

/** Seconds that a person has (RFC 8628, 3.2), and between two polls. */
export const DEVICE_SECONDS = 600
export const POLL_SECONDS = 5

/** No vowels, so that no words; no look-alikes; eight of twenty letters are 2^34 (RFC 8628, 6.1). */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const CODE_LENGTH = 8

export function newUserCode(): string {
  // 240 is the largest multiple of 20 in a byte: what is above would favour the first letters.
  const letters: string[] = []
  while (letters.length < CODE_LENGTH) {
    const [byte = 0] = crypto.getRandomValues(new Uint8Array(1))
    if (byte < 240) letters.push(LETTERS[byte % LETTERS.length] ?? '')
  }
  return letters.join('')
}

/** As a person types it: any case, with or without the dash. Null: not a user code. */
export function readUserCode(typed: string): string | null {
  const code = typed
    .slice(0, 64)
    .toUpperCase()
    .replace(/[\s\-–—_.]/g, '')
  return code.length === CODE_LENGTH && [...code].every((letter) => LETTERS.includes(letter)) ? code : null
}

export const showUserCode = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`

export type Viewer = { sub: string; sid: string }

export type Viewed =
  | { ok: true; client_id: string; scope: string; aud: string }
  | { ok: false; error: 'unknown' | 'other_viewer' | 'decided' }

export type Polled =
  | { state: 'pending' | 'slow_down' | 'denied' | 'expired' | 'unknown' }
  | { state: 'approved'; sub: string; code: string }

const nameOf = ({ sub, sid }: Viewer): string => `${sub} ${sid}`

/** The first session that looks is the one that may decide (CVE-2026-45337): nobody approves what somebody else was shown. */
export function viewDevice(store: DeviceRequestStore, viewer: Viewer, now: number): Viewed {
  const row = store.get()
  if (!row || now >= row.expires_at) return { ok: false, error: 'unknown' }
  if (row.viewer !== null && row.viewer !== nameOf(viewer)) return { ok: false, error: 'other_viewer' }
  if (row.state !== 'pending') return { ok: false, error: 'decided' }
  if (row.viewer === null) store.put({ ...row, viewer: nameOf(viewer) })
  const { client_id, scope, aud } = row
  return { ok: true, client_id, scope, aud }
}

/** `code`: what was approved, or null for a denial. Deciding twice changes nothing. */
export function decideDevice(store: DeviceRequestStore, viewer: Viewer, code: string | null, now: number): boolean {
  const row = store.get()
  if (!row || now >= row.expires_at || row.state !== 'pending' || row.viewer !== nameOf(viewer)) return false
  store.put({ ...row, state: code === null ? 'denied' : 'approved', sub: viewer.sub, code })
  return true
}

/** `last`: when it was asked before, integer seconds or null. RFC 8628, 3.5. */
export function pollDevice(
  row: DeviceRequest | null,
  by: { secret: Uint8Array; client_id: string },
  last: number | null,
  now: number,
): Polled {
  if (row?.client_id !== by.client_id || !equalBytes(new Uint8Array(row.secret_hash), new Uint8Array(hashSecret(by.secret)))) {
    return { state: 'unknown' }
  }
  if (now >= row.expires_at) return { state: 'expired' }
  if (row.state === 'denied') return { state: 'denied' }
  if (row.state === 'approved' && row.sub !== null && row.code !== null) return { state: 'approved', sub: row.sub, code: row.code }
  // A second less than was asked: clocks that round are not eager.
  return { state: last !== null && now - last < POLL_SECONDS - 1 ? 'slow_down' : 'pending' }
}
