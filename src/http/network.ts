import type { SecretRing } from '../keys/secret-ring.ts'
import { sipHashText } from '../protocol/siphash.ts'

/** The network that a client speaks from: /24 of IPv4, /64 of IPv6 (one subscriber), in one spelling whatever the address's. */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return address.slice(0, address.lastIndexOf('.'))
  const host = URL.canParse(`http://[${address}]`) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : null
  if (host === null) return 'unknown'
  const [head = '', tail] = host.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail ? tail.split(':') : []
  const zeros: string[] = Array(Math.max(0, tail === undefined ? 0 : 8 - left.length - right.length)).fill('0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}

/** A keyed digest of the network: enough to see that two requests come from different ones, no list of addresses. */
export function networkDigest(ring: SecretRing, address: string | undefined): string {
  const digest = new Uint32Array(2)
  sipHashText(ring.newest.digest, 0, networkOf(address), digest)
  return Array.from(digest, (word) => word.toString(16).padStart(8, '0')).join('')
}
