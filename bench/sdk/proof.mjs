// The pair that proofs run on: the product with the bench's doors, its hash answered at once so that thousands of accounts are made in
// seconds, and the API with a view beside it.
import path from 'node:path'
import { ROOT } from '../../scripts/toolchain.mjs'
import * as bundles from '../bundles.mjs'
import { freePort } from '../server.mjs'
import { startPair } from './servers.mjs'
import { worker } from './targets.mjs'
import { JWKS } from './tokens.mjs'

export async function startProof() {
  const inspectorPort = await freePort()
  const product = await bundles.bundle('sdk-product', worker('product'), [bundles.noHash])
  const api = await bundles.bundle('sdk-view', worker('view'))
  const server = await startPair({ product, api, bindings: { JWKS }, more: { inspectorPort } })
  return { ...server, inspectorPort }
}

export const SDK = path.join(ROOT, 'src', 'sdk')
