// A Worker of somebody's API beside the server, joined to Sallyport's `Verifier` entrypoint by a service binding, as in one account.
import { build } from 'esbuild'
import type { V4WorkerOptions } from 'miniflare'
import { ROOT } from '../../../scripts/toolchain.mjs'

const PROGRAM = `
import { createVerifier, TokenError } from './src/sdk/index.ts'
let verifier
/** GET /fresh, GET /live: 200, or the refusal. */
export default {
  async fetch(request, { ISSUER, AUDIENCE, SALLYPORT }, ctx) {
    verifier ??= createVerifier({ issuer: ISSUER, audience: AUDIENCE, binding: SALLYPORT })
    try {
      const freshness = new URL(request.url).pathname.slice(1)
      return Response.json(await verifier.verify(request, { freshness, waitUntil: (work) => ctx.waitUntil(work) }))
    } catch (error) {
      if (error instanceof TokenError) return error.getResponse()
      throw error
    }
  },
}`

/** A worker for `startServer({ beside })` that answers to one audience. */
export const boundApi =
  (audience: string) =>
  async (port: number, first: V4WorkerOptions, issuer: string): Promise<V4WorkerOptions> => {
    const { outputFiles } = await build({
      stdin: { contents: PROGRAM, resolveDir: ROOT },
      bundle: true,
      write: false,
      format: 'esm',
    })
    const { compatibilityDate, name = '' } = first
    return {
      name: 'api',
      ...(compatibilityDate === undefined ? {} : { compatibilityDate }),
      modules: [{ type: 'ESModule', path: 'worker.js', contents: outputFiles[0]?.text ?? '' }],
      bindings: { ISSUER: issuer, AUDIENCE: audience },
      serviceBindings: { SALLYPORT: { name, entrypoint: 'Verifier' } },
      unsafeDirectSockets: [{ host: '127.0.0.1', port }],
    }
  }
