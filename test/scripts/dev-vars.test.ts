import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { devVars } from '../../scripts/dev-vars.mjs'
import { NODE, ROOT } from '../../scripts/toolchain.mjs'

let root: string
const file = () => path.join(root, '.dev.vars')
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sallyport-vars-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

test('the first start makes development settings and secrets that only the owner can read', async () => {
  const vars = await devVars(root)
  expect(vars).toMatchObject({ SALLYPORT_ENV: 'development', SIGN_UP: 'immediate', LAB: 'on', ISSUER: 'http://localhost:8787' })
  for (const name of ['SALLYPORT_SECRET', 'ADMIN_TOKEN']) expect(Buffer.from(vars[name] ?? '', 'base64url')).toHaveLength(32)
  expect((await stat(file())).mode & 0o777).toBe(0o600)
  expect(await readdir(root)).toEqual(['.dev.vars', '.wrangler'])
})

test('later starts change nothing', async () => {
  const vars = await devVars(root)
  const before = [await readFile(file(), 'utf8'), (await stat(file())).mtimeMs]
  expect(await devVars(root)).toEqual(vars)
  expect([await readFile(file(), 'utf8'), (await stat(file())).mtimeMs]).toEqual(before)
})

test('what a developer has set is never replaced, not even an empty value', async () => {
  await writeFile(file(), '# mine\nSIGN_UP=verified\nADMIN_TOKEN=""')
  expect(await devVars(root)).toMatchObject({ SIGN_UP: 'verified', ADMIN_TOKEN: '', SALLYPORT_ENV: 'development' })
  expect(await readFile(file(), 'utf8')).toMatch(/^# mine\nSIGN_UP=verified\nADMIN_TOKEN=""\n/)
})

test('starts at the same moment agree on the secrets', async () => {
  const script = `import { devVars } from ${JSON.stringify(path.join(ROOT, 'scripts/dev-vars.mjs'))}; console.log(JSON.stringify(await devVars(${JSON.stringify(root)})))`
  const starts = Array.from({ length: 6 }, () => promisify(execFile)(NODE, ['--input-type=module', '-e', script]))
  const answers = (await Promise.all(starts)).map(({ stdout }) => JSON.parse(stdout))
  for (const answer of answers) expect(answer).toEqual(answers[0])
  expect(await devVars(root)).toEqual(answers[0])
})
