// What is measured, as modules: the production bundle as wrangler builds it, and what only the bench builds.
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import * as esbuild from 'esbuild'
import { build as buildProduct } from '../scripts/bundle.mjs'
import { ROOT } from '../scripts/toolchain.mjs'

export const DIST = path.join(import.meta.dirname, 'dist')

const directoryOf = (name) => path.join(DIST, name)

/** The untouched production bundle; answers its directory. */
export async function product() {
  await buildProduct(directoryOf('product'))
  return directoryOf('product')
}

/** A Worker of bench/workers/, or the product behind a plugin; answers its directory, laid out as the production bundle is. */
export async function bundle(name, entry, plugins = []) {
  const outdir = directoryOf(name)
  await rm(outdir, { recursive: true, force: true })
  await esbuild.build({
    entryPoints: { worker: entry },
    outdir,
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    mainFields: ['module', 'main'],
    external: ['node:*', 'cloudflare:*', '@aws-sdk/*'],
    loader: { '.sql': 'text', '.toml': 'text', '.wasm': 'copy' },
    define: { 'process.env.NODE_ENV': '"production"' },
    jsx: 'automatic',
    jsxImportSource: 'hono/jsx',
    logLevel: 'error',
    plugins: [bareNodeNames, ...plugins],
  })
  return outdir
}

/** Packages that name Node's modules without `node:`. */
const bareNodeNames = {
  name: 'bare-node-names',
  setup(build) {
    const filter =
      /^(assert|async_hooks|buffer|crypto|events|fs|http|https|module|os|path|process|querystring|stream|string_decoder|url|util|zlib)$/
    build.onResolve({ filter }, ({ path: name }) => ({ path: `node:${name}`, external: true }))
  },
}

/** A password's hash, answered at once: what is left of a sign-in is everything but the hash. The product has no such switch. */
export const noHash = {
  name: 'no-hash',
  setup(build) {
    build.onLoad({ filter: /src\/login\/password-hash\.ts$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8')
      const contents = source.replace(
        /(export function hashPassword\([^)]*\): string \{)[\s\S]*?\n\}\n/,
        `$1\n  return '${'A'.repeat(43)}'\n}\n`,
      )
      if (contents === source) throw new Error('hashPassword was not found in src/login/password-hash.ts')
      return { contents, loader: 'ts' }
    })
  },
}

const worker = (name) => path.join(import.meta.dirname, 'workers', `${name}.js`)
const entry = path.join(ROOT, 'src', 'worker.ts')

export const bare = () => bundle('bare', worker('bare'))
export const peer = (name) => bundle(name, worker(name))
export const counting = () => bundle('counting', worker('counting'))
export const withoutHash = () => bundle('without-hash', entry, [noHash])
