// Tabs of one browser on the Worker's origin, each with the built `sallyport/browser`: only the page itself is made up by the test.
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { build } from 'esbuild'
import type { BrowserContext, Page } from 'playwright-core'
import { ROOT } from '../../scripts/toolchain.mjs'
import type { Client, ClientOptions, createClient } from '../../src/sdk/browser.ts'

declare global {
  var client: Client
  var changes: string[]
  var makeClient: typeof createClient
}

/** Loads the client's module from `/test/client.js`. */
export const TEST_PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
import { createClient } from '/test/client.js'
globalThis.makeClient = createClient
</script>`

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, 'src/sdk/browser.ts')],
    bundle: true,
    format: 'esm',
    write: false,
    minify: true,
  })
  return outputFiles[0]?.text ?? ''
}

let built: Promise<string> | undefined

/** The minified module, as an app's bundler would make it. */
export function clientModule(): Promise<string> {
  built ??= bundle()
  return built
}

/** Serves the test page at `ORIGIN/test/page` in this browser, without asking the Worker. */
export async function servePage(context: BrowserContext, origin: string): Promise<void> {
  const module = await clientModule()
  await context.route(`${origin}/test/page`, (route) => route.fulfill({ contentType: 'text/html', body: TEST_PAGE }))
  await context.route(`${origin}/test/client.js`, (route) => route.fulfill({ contentType: 'text/javascript', body: module }))
}

/** A tab with a client in `globalThis.client`, which notes what changes in `globalThis.changes`. */
export async function openTab(context: BrowserContext, origin: string, options: Omit<ClientOptions, 'fetch'> = {}): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${origin}/test/page`)
  await page.evaluate((options) => {
    globalThis.client = globalThis.makeClient(options)
    globalThis.changes = []
    globalThis.client.onChange((change) => globalThis.changes.push(change))
  }, options)
  return page
}

/** How often the browser has asked for `METHOD PATH` since this was called. */
export function countRequests(context: BrowserContext, method: string, pathname: string): () => number {
  let count = 0
  context.on('request', (request) => {
    if (request.method() === method && new URL(request.url()).pathname === pathname) count += 1
  })
  return () => count
}

/** Signs a new account up in this tab, and answers its address and who it is. */
export async function signUp(page: Page): Promise<{ email: string; password: string; sub: string; sid: string }> {
  const account = { email: `p${randomBytes(6).toString('hex')}@example.com`, password: 'violet-otter-41-lantern' }
  const session = await page.evaluate((account) => globalThis.client.signUp(account), account)
  if (session === null) throw new Error('not signed in')
  return { ...account, sub: session.sub, sid: session.sid }
}

export const tokenOf = (page: Page, forceRefresh = false): Promise<string> =>
  page.evaluate((forceRefresh) => globalThis.client.getAccessToken({ forceRefresh }), forceRefresh)

/** The status of a route asked with the client's `fetch`. */
export const statusOf = (page: Page, url: string): Promise<number> =>
  page.evaluate(async (url) => (await globalThis.client.fetch(url)).status, url)

export const changesOf = (page: Page): Promise<string[]> => page.evaluate(() => globalThis.changes)

/** The `code` that a call in the page is refused with; undefined when it is not. */
export async function refusalOf(page: Page, call: (client: Client) => Promise<unknown>): Promise<string | undefined> {
  return await page.evaluate(`(${call})(globalThis.client).then(() => undefined, (error) => error.code)`)
}

/** What an access token says. */
export function claimsOf(token: string): { sub: string; sid: string; scope: string; aud: string } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
