import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withLock } from '../../src/cli/lock.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'sallyport-lock-'))
})
afterAll(() => rm(directory, { recursive: true }))

test('a lock that another process has taken over meanwhile is left to it', async () => {
  const file = path.join(directory, 'credentials.lock')
  await withLock(file, async () => {
    await rm(file)
    await writeFile(file, String(process.pid))
  })
  await access(file)
})

test('a lock is gone after the work, also after work that fails', async () => {
  const file = path.join(directory, 'other.lock')
  expect(await withLock(file, async () => 'done')).toBe('done')
  await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await expect(access(file)).rejects.toThrow('ENOENT')
})
