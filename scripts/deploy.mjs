// npm run deploy [-- wrangler's own options]: makes the secrets that do not exist yet, finds out the issuer, deploys. A secret that exists
// is never replaced: every session and signing key of the installation hangs on it.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { installWhenNeeded } from './install.mjs'
import { checkedIssuer, issuerOf } from './issuer.mjs'
import { BIN, NODE, Refusal, ROOT, run, toolEnvironment } from './toolchain.mjs'

const SECRETS = ['SALLYPORT_SECRET', 'ADMIN_TOKEN']
const SHOW = '--show-admin-token'
const WRANGLER = process.env.SALLYPORT_WRANGLER ?? path.join(BIN, 'wrangler')

/** Options of `wrangler deploy` that decide which Worker is meant, so that `wrangler secret list` asks about the same one. */
const NAMING = ['--env', '-e', '--name', '--config', '-c', '--profile']

/** @param {string[]} args @param {string[]} names @returns {string[]} those of the options, with their values */
function pick(args, names) {
  return args.flatMap((arg, index) => {
    const [name = ''] = arg.split('=')
    if (!names.includes(name)) return []
    return arg.includes('=') ? [arg] : [arg, args[index + 1] ?? '']
  })
}

/** @param {string[]} args @param {string} name of a variable given as `--var NAME:value` */
function varOf(args, name) {
  const values = pick(args, ['--var']).map((arg) => arg.replace(/^--var=?/, ''))
  return values.findLast((value) => value.startsWith(`${name}:`))?.slice(name.length + 1)
}

/** @param {string[]} args the [vars] that this deployment would have from its configuration alone */
async function configuredVars(args) {
  const { unstable_readConfig } = await import('wrangler')
  const [, config = path.join(ROOT, 'wrangler.toml')] = split(pick(args, ['--config', '-c']))
  const [, env] = split(pick(args, ['--env', '-e']))
  return unstable_readConfig({ config, ...(env ? { env } : {}) }, { hideWarnings: true }).vars
}

/** @param {string[]} option `['--name', 'value']` or `['--name=value']` @returns {string[]} */
function split(option) {
  const [first = ''] = option
  return first.includes('=') ? [first.slice(0, first.indexOf('=')), first.slice(first.indexOf('=') + 1)] : option
}

/**
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, capture?: boolean }} [options] captured output is not shown
 */
async function wrangler(args, { env = {}, capture = false } = {}) {
  const child = spawn(WRANGLER, args, {
    cwd: ROOT,
    env: toolEnvironment(env),
    stdio: capture ? ['inherit', 'pipe', 'pipe'] : 'inherit',
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', () => reject(new Refusal(`${WRANGLER} could not be run.`)))
    child.once('close', (code) => resolve(code ?? 1))
  })
  return { code, stdout, stderr }
}

/**
 * The names of the secrets that the Worker has; null when there is no such Worker yet.
 * @param {string[]} args
 * @returns {Promise<string[] | null>}
 * @throws {Refusal} when that cannot be known: to guess would replace a living secret
 */
async function existingSecrets(args) {
  const { code, stdout, stderr } = await wrangler(['secret', 'list', '--format', 'json', ...pick(args, NAMING)], { capture: true })
  if (code !== 0) {
    if (/Worker "[^"]*"(?: \(env: [^)]*\))? not found\./.test(stdout + stderr)) return null
    throw new Refusal(`${stdout}${stderr}The secrets of the Worker could not be listed, so nothing was deployed.`)
  }
  try {
    const list = JSON.parse(stdout.slice(stdout.search(/^\[/m)))
    return list.map((/** @type {{ name: unknown }} */ { name }) => String(name))
  } catch {
    throw new Refusal(`${stdout}wrangler did not answer with a list of secrets, so nothing was deployed.`)
  }
}

/**
 * @param {string[]} args of `wrangler deploy`
 * @param {string} directory for wrangler's record
 * @returns {Promise<string[]>} where the Worker can be reached, as wrangler names it
 */
async function deploy(args, directory) {
  const record = path.join(directory, `output-${randomBytes(4).toString('hex')}.ndjson`)
  const { code } = await wrangler(['deploy', ...args], { env: { WRANGLER_OUTPUT_FILE_PATH: record } })
  if (code !== 0) throw new Refusal('`wrangler deploy` failed.')
  const lines = (await readFile(record, 'utf8').catch(() => '')).split('\n').filter((line) => line.trim() !== '')
  return lines.map((line) => JSON.parse(line)).findLast(({ type }) => type === 'deploy')?.targets ?? []
}

/** @param {string[]} args @param {string} directory */
async function deployWithSecrets(args, directory) {
  const show = args.includes(SHOW)
  const rest = args.filter((arg) => arg !== SHOW)
  const vars = await configuredVars(rest)
  const given = varOf(rest, 'ISSUER') ?? (process.env.ISSUER || vars.ISSUER)
  const issuer = given ? checkedIssuer(given) : undefined
  const signUp = varOf(rest, 'SIGN_UP') ?? vars.SIGN_UP
  if (signUp !== 'verified') say(signUp === 'immediate' ? IMMEDIATE : NO_SIGN_UP)

  const existing = await existingSecrets(rest)
  const missing = SECRETS.filter((name) => !existing?.includes(name))
  const made = Object.fromEntries(missing.map((name) => [name, randomBytes(32).toString('base64url')]))
  const file = path.join(directory, 'secrets.json')
  if (missing.length > 0) await writeFile(file, JSON.stringify(made), { mode: 0o600 })

  const withIssuer = (/** @type {string} */ origin) => [...rest, ...(varOf(rest, 'ISSUER') ? [] : ['--var', `ISSUER:${origin}`])]
  // Without a known issuer the first upload tells the address. --keep-vars leaves a running Worker the issuer that it has meanwhile.
  const first = issuer ? withIssuer(issuer) : [...rest, ...(existing ? ['--keep-vars'] : [])]
  const targets = await deploy([...first, ...(missing.length > 0 ? ['--secrets-file', file] : [])], directory)
  await rm(file, { force: true })
  if (missing.length > 0) say(`Made and uploaded: ${missing.join(', ')}.`)
  if (made.ADMIN_TOKEN) say(show || process.stdout.isTTY ? adminToken(made.ADMIN_TOKEN) : ADMIN_TOKEN_HIDDEN)
  if (issuer) return say(`Deployed with the issuer ${issuer}.`)

  const found = issuerOf(targets)
  await deploy(withIssuer(found), directory)
  say(`Deployed with the issuer ${found}, read from wrangler. To have it in one step from every clone, put under [vars] in wrangler.toml:`)
  say(`ISSUER = "${found}"`)
}

const IMMEDIATE = 'SIGN_UP is "immediate": whoever signs up is told whether an address already has an account.'
const NO_SIGN_UP =
  'SIGN_UP is not set: until it is, under [vars] in wrangler.toml or with --var SIGN_UP:immediate, the Worker answers every request with 503.'
const ADMIN_TOKEN_HIDDEN = `ADMIN_TOKEN is not shown outside a terminal and can never be read again (${SHOW} shows a new one); set your own: npx wrangler secret put ADMIN_TOKEN`

/** @param {string} token */
function adminToken(token) {
  return `ADMIN_TOKEN, shown this once and never readable again; keep it now:\n${token}`
}

/** @param {string} sentence */
function say(sentence) {
  process.stdout.write(`${sentence}\n`)
}

async function main() {
  await installWhenNeeded()
  const args = process.argv.slice(2)
  if (Number.parseInt(process.versions.node, 10) < 22) return await again(args)
  if (args.includes('--dry-run')) return (await wrangler(['deploy', ...args.filter((arg) => arg !== SHOW)])).code
  const directory = await mkdtemp(path.join(tmpdir(), 'sallyport-deploy-'))
  // It holds new secrets for a moment: whatever ends this script ends them too.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      rmSync(directory, { recursive: true, force: true })
      process.exit(1)
    })
  }
  try {
    await deployWithSecrets(args, directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** wrangler's API needs a newer Node than the first install may run on. @param {string[]} args */
async function again(args) {
  const child = spawn(NODE, [path.join(ROOT, 'scripts', 'deploy.mjs'), ...args], { stdio: 'inherit' })
  return await new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}

await run(main)
