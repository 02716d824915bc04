// The ignored .dev.vars: the settings and secrets of local development, made once and then the developer's own.
import { randomBytes } from 'node:crypto'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseEnv } from 'node:util'
import { withLock } from './lock.mjs'

const secret = () => randomBytes(32).toString('base64url')

const MISSING = {
  SALLYPORT_ENV: () => 'development',
  // For a plain `wrangler dev`; `npm start` always puts the origin it serves in its place, so that several can run side by side.
  ISSUER: () => 'http://localhost:8787',
  SALLYPORT_SECRET: secret,
  ADMIN_TOKEN: secret,
  SIGN_UP: () => 'immediate',
  LAB: () => 'on',
}

/**
 * Adds the values that are missing, never replaces one, and answers all of them. Two starts at once agree.
 * @param {string} root directory of wrangler.toml
 * @returns {Promise<Record<string, string>>}
 */
export async function devVars(root) {
  const file = path.join(root, '.dev.vars')
  return await withLock(path.join(root, '.wrangler', 'dev-vars.lock'), async () => {
    const text = await readFile(file, 'utf8').catch(() => '')
    const present = parseEnv(text)
    const missing = Object.entries(MISSING).filter(([name]) => !(name in present))
    if (missing.length === 0) return present
    const separator = text === '' || text.endsWith('\n') ? '' : '\n'
    const complete = `${text}${separator}${missing.map(([name, make]) => `${name}="${make()}"\n`).join('')}`
    const temporary = `${file}.${process.pid}`
    await writeFile(temporary, complete, { mode: 0o600 })
    await chmod(temporary, 0o600)
    await rename(temporary, file)
    return parseEnv(complete)
  })
}
