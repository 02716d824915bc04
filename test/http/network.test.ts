import { expect, test } from 'vitest'
import { networkOf } from '../../src/http/network.ts'

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
