import { expect, test } from 'vitest'
import { publishedKeys } from '../../src/http/published-keys.ts'

/** A key set that answers when it is told to, and a clock. */
function setUp(kids: string[]) {
  const set = { kids, readings: 0, nowMs: 5_000_000, before: async () => {} }
  const publishes = publishedKeys(
    async () => {
      set.readings++
      const keys = set.kids.map((kid) => ({ kid }))
      await set.before()
      return { keys }
    },
    () => set.nowMs,
  )
  return { set, publishes }
}

test('a key is published while it is in the set, and is missed within a second', async () => {
  const { set, publishes } = setUp(['one', 'two'])
  expect([await publishes('one'), await publishes('two'), await publishes('three')]).toEqual([true, true, false])
  set.kids = ['two']
  set.nowMs += 1000
  expect(await publishes('one')).toBe(true)
  set.nowMs += 1
  expect([await publishes('one'), await publishes('two')]).toEqual([false, true])
})

test('the set is read once a second, however many ask', async () => {
  const { set, publishes } = setUp(['one'])
  for (let second = 0; second < 10; second++) {
    for (let i = 0; i < 50; i++) await publishes('one')
    set.nowMs += 1001
  }
  expect(set.readings).toBe(10)
})

test('a key that was made a moment ago is not missed: only a set that was read for it says that it is not there', async () => {
  const { set, publishes } = setUp(['one'])
  expect(await publishes('one')).toBe(true)
  set.kids = ['one', 'two']
  set.nowMs++
  expect([await publishes('two'), await publishes('one'), await publishes('two')]).toEqual([true, true, true])
  expect(set.readings).toBe(2)
})

test('a set that cannot be had is no answer, and is tried again', async () => {
  const { set, publishes } = setUp(['one'])
  await publishes('one')
  set.nowMs += 1001
  set.before = () => Promise.reject(new Error('out of reach'))
  await expect(publishes('one')).rejects.toThrow('out of reach')
  await expect(publishes('one')).rejects.toThrow('out of reach')
  set.before = async () => {}
  expect(await publishes('one')).toBe(true)
})

test('a reading that comes late does not bring back a key that a later one missed', async () => {
  const { set, publishes } = setUp(['one'])
  let arrive = () => {}
  set.before = () =>
    new Promise((resolve) => {
      arrive = resolve
    })
  const early = publishes('one')
  set.before = async () => {}
  set.kids = []
  set.nowMs++
  expect(await publishes('one')).toBe(false)
  arrive()
  await early
  expect(await publishes('one')).toBe(false)
})

test('a clock that was set back does not make the set new', async () => {
  const { set, publishes } = setUp(['one'])
  await publishes('one')
  set.kids = ['two']
  set.nowMs -= 3_600_000
  expect(await publishes('one')).toBe(false)
  set.nowMs += 500
  await publishes('two')
  expect(set.readings).toBe(2)
})
