// A real Chromium for tests, with web security and site isolation as people have them: unpacked once from the package that carries it.
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { inflate } from '@sparticuz/chromium'
import { type Browser, chromium } from 'playwright-core'
import { withLock } from '../../../scripts/lock.mjs'
import { ROOT } from '../../../scripts/toolchain.mjs'

const PACKED = path.join(ROOT, 'node_modules/@sparticuz/chromium/bin')
const UNPACKED = path.join(ROOT, 'node_modules/.cache/chromium')

/** The fonts that come with it, before those of the machine, if it has any. */
const FONTS = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
  <dir>${UNPACKED}/fonts/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${UNPACKED}/fonts-cache</cachedir>
</fontconfig>`

/** Launches it headless. The package has a build for Linux on x64; elsewhere it is the Chrome that is installed. */
export async function launchChromium(): Promise<Browser> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return await chromium.launch({ channel: 'chrome' })
  await withLock(path.join(ROOT, '.test', 'chromium.lock'), unpack)
  const launch = (env: Record<string, string>) =>
    chromium.launch({
      executablePath: path.join(UNPACKED, 'chromium'),
      args: ['--no-sandbox'],
      env: { ...process.env, FONTCONFIG_FILE: path.join(UNPACKED, 'fonts.conf'), ...env },
    })
  try {
    return await launch({})
  } catch (error) {
    if (!/shared librar/.test(String(error))) throw error
    // A bare machine: the package brings those libraries too.
    return await launch({ LD_LIBRARY_PATH: path.join(UNPACKED, 'al2023/lib') })
  }
}

async function unpack(): Promise<void> {
  if (existsSync(UNPACKED)) return
  const unfinished = `${UNPACKED}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true })
  await Promise.all(['chromium.br', 'fonts.tar.br', 'swiftshader.tar.br', 'al2023.tar.br'].map((file) => inflateTo(unfinished, file)))
  await writeFile(path.join(unfinished, 'fonts.conf'), FONTS)
  await rename(unfinished, UNPACKED)
}

/** The package unpacks into the system's temporary directory, which it asks for when it is called. */
function inflateTo(directory: string, file: string): Promise<string> {
  const before = process.env.TMPDIR
  process.env.TMPDIR = directory
  try {
    return inflate(path.join(PACKED, file))
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
}
