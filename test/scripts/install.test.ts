import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isInstalled } from '../../scripts/install.mjs'
import { ROOT } from '../../scripts/toolchain.mjs'

let root: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sallyport-install-'))
  await mkdir(path.join(root, 'node_modules/.bin'), { recursive: true })
  for (const tool of ['node', 'wrangler', 'vitest']) await writeFile(path.join(root, 'node_modules/.bin', tool), '')
})
afterEach(() => rm(root, { recursive: true, force: true }))

const LOCKED = { '': {}, 'node_modules/hono': { version: '4.0.0' }, 'node_modules/for-macs': { version: '1.0.0', optional: true } }

const write = async (file: string, packages: object) => writeFile(path.join(root, file), JSON.stringify({ packages }))
const lock = (packages: object) => write('package-lock.json', packages)
const installed = (packages: object) => write('node_modules/.package-lock.json', packages)

test('this project counts as installed', async () => expect(await isInstalled(ROOT)).toBe(true))

test.each([
  ['all packages of the lock are there', { 'node_modules/hono': { version: '4.0.0' } }, true],
  ['one has another version', { 'node_modules/hono': { version: '3.0.0' } }, false],
  [
    'an optional one has another version',
    { 'node_modules/hono': { version: '4.0.0' }, 'node_modules/for-macs': { version: '0.9.0' } },
    false,
  ],
  ['one is missing', {}, false],
])('packages are installed or not when %s', async (_, present, expected) => {
  await lock(LOCKED)
  await installed(present)
  expect(await isInstalled(root)).toBe(expected)
})

test('an interrupted install, which has no record yet, is no install', async () => {
  await lock(LOCKED)
  expect(await isInstalled(root)).toBe(false)
})

test('a record without the tools is no install', async () => {
  await lock(LOCKED)
  await installed({ 'node_modules/hono': { version: '4.0.0' } })
  await rm(path.join(root, 'node_modules/.bin/wrangler'))
  expect(await isInstalled(root)).toBe(false)
})
