import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLock } from '../../scripts/lock.mjs'
import { known } from '../../scripts/process-identity.mjs'

let directory: string
const file = () => path.join(directory, 'lock')
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'sallyport-lock-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('work under one lock never overlaps, and nothing of the lock remains', async () => {
  let inside = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 5))
    inside--
  }
  await Promise.all(Array.from({ length: 8 }, () => withLock(file(), work)))
  expect([inside, most, await readdir(directory)]).toEqual([0, 1, []])
})

test('a failing holder gives the lock back', async () => {
  await expect(withLock(file(), () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await withLock(file(), async () => 'next')).toBe('next')
})

test('a lock is taken over from an owner that is dead, though its pid lives again', async () => {
  const alive = await known(process.pid)
  await writeFile(file(), JSON.stringify({ ...alive, identity: 'of an earlier process' }))
  expect(await withLock(file(), async () => 'mine')).toBe('mine')
  expect(await readdir(directory)).toEqual([])
})

test('many waiters take over from a dead owner one at a time', async () => {
  await writeFile(file(), JSON.stringify({ pid: 1, identity: 'of an earlier process' }))
  let inside = 0
  const work = async () => {
    expect(++inside).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 5))
    inside--
  }
  await Promise.all(Array.from({ length: 6 }, () => withLock(file(), work)))
})
