import { expect, test } from 'vitest'
import { networkDigest, networkOf } from '../../src/http/network.ts'
import { openSecretRing } from '../../src/keys/secret-ring.ts'

test.each([
  ['203.0.113.7', '203.0.113'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['not an address', 'unknown'],
  [undefined, 'unknown'],
])('%j is in network %j', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('the digest tells networks apart, and says nothing to whoever lacks the secret', async () => {
  const ring = await openSecretRing(['a-secret-of-at-least-thirty-two-characters'])
  const other = await openSecretRing(['another-secret-of-at-least-thirty-two-chars'])
  expect(networkDigest(ring, '203.0.113.7')).toBe(networkDigest(ring, '203.0.113.250'))
  expect(networkDigest(ring, '203.0.113.7')).not.toBe(networkDigest(ring, '203.0.114.7'))
  expect(networkDigest(ring, '203.0.113.7')).not.toBe(networkDigest(other, '203.0.113.7'))
})
