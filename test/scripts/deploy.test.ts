import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { issuerOf } from '../../scripts/issuer.mjs'
import { NODE, ROOT } from '../../scripts/toolchain.mjs'

type Call = { args: string[]; secrets: Record<string, string> | null }

/** What the stand-in for wrangler knows of "the account", kept in a file so that several deploys share it. */
type Account = {
  exists: boolean
  secrets: Record<string, string>
  targets: string[]
  listFails?: boolean
  deployFails?: boolean
  hangs?: boolean
  calls: Call[]
}

// It does what wrangler 4 does as far as deploy.mjs can see: options, exit codes, texts, the record of WRANGLER_OUTPUT_FILE_PATH.
const STAND_IN = `#!${NODE}
const fs = require('node:fs')
const account = JSON.parse(fs.readFileSync(process.env.ACCOUNT, 'utf8'))
const args = process.argv.slice(2)
const at = args.indexOf('--secrets-file')
const secrets = at < 0 ? null : JSON.parse(fs.readFileSync(args[at + 1], 'utf8'))
account.calls.push({ args, secrets })
let code = 0
if (args[0] === 'secret') {
  if (account.listFails) { console.error('A request to the Cloudflare API failed.'); code = 1 }
  else if (!account.exists) { console.error('Worker "sallyport" not found.\\n\\nIf this is a new Worker, run \`wrangler deploy\` first to create it.'); code = 1 }
  else console.log(JSON.stringify(Object.keys(account.secrets).map((name) => ({ name, type: 'secret_text' })), null, '  '))
} else if (account.deployFails) code = 1
else if (!args.includes('--dry-run')) {
  account.exists = true
  Object.assign(account.secrets, secrets)
  fs.appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, JSON.stringify({ type: 'wrangler-session' }) + '\\n' + JSON.stringify({ type: 'deploy', targets: account.targets }) + '\\n')
}
fs.writeFileSync(process.env.ACCOUNT, JSON.stringify(account))
if (account.hangs && args[0] === 'deploy') setTimeout(() => {}, 5000)
else process.exit(code)
`

let directory: string
const file = (name: string) => path.join(directory, name)

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'sallyport-account-'))
  await writeFile(file('wrangler.cjs'), STAND_IN)
  await chmod(file('wrangler.cjs'), 0o755)
  await writeFile(file('wrangler.toml'), 'name = "sallyport"\nmain = "worker.js"\ncompatibility_date = "2026-10-15"\n')
  await setAccount({})
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** Calls are told without the `--config` that `deploy` adds, which keeps this project's own [vars] out of the tests. */
async function account(): Promise<Account> {
  const state: Account = JSON.parse(await readFile(file('account.json'), 'utf8'))
  const calls = state.calls.map((call) => {
    const at = call.args.indexOf('--config')
    expect(call.args[at + 1]).toBe(file('wrangler.toml'))
    return { ...call, args: call.args.toSpliced(at, 2) }
  })
  return { ...state, calls }
}

async function setAccount(changes: Partial<Account>) {
  const fresh: Account = { exists: false, secrets: {}, targets: ['https://sallyport.acme.workers.dev'], calls: [] }
  await writeFile(file('account.json'), JSON.stringify({ ...fresh, ...changes }))
}

const deploy = (args: string[] = [], env: Record<string, string> = {}) => run(['--config', file('wrangler.toml'), ...args], env)

async function run(args: string[], env: Record<string, string>) {
  const { ISSUER: _, ...inherited } = process.env
  const child = spawn(NODE, [path.join(ROOT, 'scripts/deploy.mjs'), ...args], {
    env: { ...inherited, SALLYPORT_WRANGLER: file('wrangler.cjs'), ACCOUNT: file('account.json'), TMPDIR: directory, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}

describe('npm run deploy', () => {
  test('makes both secrets and finds the issuer at the first deploy', async () => {
    const { code, output } = await deploy()
    expect(code).toBe(0)
    const { calls, secrets } = await account()
    expect(Object.keys(secrets)).toEqual(['SALLYPORT_SECRET', 'ADMIN_TOKEN'])
    for (const secret of Object.values(secrets)) expect(Buffer.from(secret, 'base64url')).toHaveLength(32)
    expect(calls.map(({ args }) => args[0])).toEqual(['secret', 'deploy', 'deploy'])
    expect(calls[1]?.args).not.toContain('--keep-vars')
    expect(calls[2]).toEqual({ args: ['deploy', '--var', 'ISSUER:https://sallyport.acme.workers.dev'], secrets: null })
    expect(output).toContain('ISSUER = "https://sallyport.acme.workers.dev"')
  })

  test('leaves no secret behind when it is interrupted', async () => {
    await setAccount({ hangs: true })
    const child = spawn(NODE, [path.join(ROOT, 'scripts/deploy.mjs'), '--config', file('wrangler.toml')], {
      env: { ...process.env, SALLYPORT_WRANGLER: file('wrangler.cjs'), ACCOUNT: file('account.json'), TMPDIR: directory },
      stdio: 'ignore',
    })
    const left = async () => (await readdir(directory)).filter((name) => name.startsWith('sallyport-deploy-'))
    await vi.waitFor(async () => expect((await account()).calls.map(({ args }) => args[0])).toEqual(['secret', 'deploy']), 10_000)
    expect(await left()).toHaveLength(1)
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('exit', resolve))
    expect(await left()).toEqual([])
  })

  test.each([
    ['immediate', /SIGN_UP is "immediate": whoever signs up is told/],
    ['', /SIGN_UP is not set/],
  ])('says what SIGN_UP "%s" means in production', async (value, sentence) => {
    expect((await deploy(['--var', `SIGN_UP:${value}`])).output).toMatch(sentence)
  })

  test('leaves no file with secrets behind and shows none where a log would keep it', async () => {
    const { output } = await deploy()
    const { secrets } = await account()
    for (const secret of Object.values(secrets)) expect(output).not.toContain(secret)
    expect((await readdir(directory)).sort()).toEqual(['account.json', 'wrangler.cjs', 'wrangler.toml'])
  })

  test('shows the operator token once when asked to', async () => {
    const { output } = await deploy(['--show-admin-token'])
    const { calls, secrets } = await account()
    expect(output).toContain(secrets.ADMIN_TOKEN)
    expect(output).not.toContain(secrets.SALLYPORT_SECRET)
    expect(calls.flatMap(({ args }) => args)).not.toContain('--show-admin-token')
  })

  test('replaces nothing at the next deploy from another clone, and keeps the issuer meanwhile', async () => {
    await deploy()
    const first = await account()
    const { code } = await deploy()
    const { calls, secrets } = await account()
    expect(code).toBe(0)
    expect(secrets).toEqual(first.secrets)
    expect(calls.slice(3)).toEqual([
      { args: ['secret', 'list', '--format', 'json'], secrets: null },
      { args: ['deploy', '--keep-vars'], secrets: null },
      { args: ['deploy', '--var', 'ISSUER:https://sallyport.acme.workers.dev'], secrets: null },
    ])
  })

  test('makes only the secret that is missing', async () => {
    await setAccount({ exists: true, secrets: { SALLYPORT_SECRET: 'kept' } })
    expect((await deploy()).code).toBe(0)
    const { calls, secrets } = await account()
    expect(secrets.SALLYPORT_SECRET).toBe('kept')
    expect(Object.keys(calls[1]?.secrets ?? {})).toEqual(['ADMIN_TOKEN'])
  })

  test('deploys once when the issuer is given', async () => {
    await setAccount({ exists: true, secrets: { SALLYPORT_SECRET: 'kept', ADMIN_TOKEN: 'kept' } })
    await deploy([], { ISSUER: 'https://auth.example.com' })
    await deploy(['--var', 'ISSUER:https://auth.example.com', '--env', 'staging', '--name=other'])
    const { calls } = await account()
    expect(calls.map(({ args }) => args)).toEqual([
      ['secret', 'list', '--format', 'json'],
      ['deploy', '--var', 'ISSUER:https://auth.example.com'],
      ['secret', 'list', '--format', 'json', '--env', 'staging', '--name=other'],
      ['deploy', '--var', 'ISSUER:https://auth.example.com', '--env', 'staging', '--name=other'],
    ])
  })

  test.each(['http://auth.example.com', 'https://auth.example.com/', 'auth.example.com'])('refuses the issuer %s', async (ISSUER) => {
    const { code, output } = await deploy([], { ISSUER })
    expect(code).toBe(1)
    expect(output).toContain('ISSUER must be an origin')
    expect((await account()).calls).toEqual([])
  })

  test('deploys nothing when the secrets cannot be listed', async () => {
    await setAccount({ exists: true, secrets: { SALLYPORT_SECRET: 'kept' }, listFails: true })
    const { code, output } = await deploy()
    expect(code).toBe(1)
    expect(output).toContain('could not be listed, so nothing was deployed')
    const { calls, secrets } = await account()
    expect(calls).toHaveLength(1)
    expect(secrets).toEqual({ SALLYPORT_SECRET: 'kept' })
  })

  test('fails when wrangler does, and leaves no file with secrets', async () => {
    await setAccount({ deployFails: true })
    const { code, output } = await deploy()
    expect(code).toBe(1)
    expect(output).not.toContain('Made and uploaded')
    expect((await readdir(directory)).sort()).toEqual(['account.json', 'wrangler.cjs', 'wrangler.toml'])
  })

  test('a dry run asks nothing and makes nothing', async () => {
    expect((await deploy(['--dry-run', '--outdir', 'x'])).code).toBe(0)
    expect((await account()).calls).toEqual([{ args: ['deploy', '--dry-run', '--outdir', 'x'], secrets: null }])
  })

  test('a dry run of the real wrangler builds the Worker without an account', async () => {
    const { code, output } = await run(['--dry-run', '--outdir', file('out')], {
      SALLYPORT_WRANGLER: path.join(ROOT, 'node_modules/.bin/wrangler'),
    })
    expect(output).toContain('--dry-run: exiting now.')
    expect(code).toBe(0)
    expect(existsSync(file('out/worker.js'))).toBe(true)
  })
})

describe('the issuer that wrangler names', () => {
  test.each([
    [['https://sallyport.acme.workers.dev'], 'https://sallyport.acme.workers.dev'],
    [['https://sallyport.acme.workers.dev', 'auth.example.com (custom domain)'], 'https://auth.example.com'],
    [['auth.example.com (custom domain - zone name: example.com)', 'example.com/*', 'schedule: * * * * *'], 'https://auth.example.com'],
  ])('of %j is %s', (targets, issuer) => expect(issuerOf(targets)).toBe(issuer))

  test.each([
    [[], /named no address/],
    [['example.com/* (zone name: example.com)'], /named no address/],
    [['a.example.com (custom domain)', 'b.example.com (custom domain)'], /several addresses/],
  ])('is not guessed from %j', (targets, message) => expect(() => issuerOf(targets)).toThrow(message))
})
