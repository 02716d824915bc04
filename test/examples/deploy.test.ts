import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { BIN, ROOT, toolEnvironment } from '../../scripts/toolchain.mjs'

test('the notes API is ready to deploy, bound to the entrypoint of Sallyport', async () => {
  const outdir = await mkdtemp(path.join(tmpdir(), 'sallyport-notes-'))
  const args = ['deploy', '--dry-run', '--config', path.join(ROOT, 'examples/notes-api/wrangler.toml'), '--outdir', outdir]
  const { stdout } = await promisify(execFile)(path.join(BIN, 'wrangler'), args, { cwd: ROOT, env: toolEnvironment() })
  expect(stdout).toMatch(/env\.SALLYPORT \(sallyport#Verifier\)/)
  expect(await readdir(outdir)).toContain('worker.js')
  await rm(outdir, { recursive: true, force: true })
})
