import { expect, test } from 'vitest'
import { HashQueue } from '../../src/login/hash-queue.ts'

/** A clock that stands still until told: timers fire in their order when it is moved on. */
function stillClock() {
  let nowMs = 0
  let timers: { at: number; fire: () => void }[] = []
  return {
    now: () => nowMs,
    wait: (ms: number) =>
      new Promise<void>((resolve) => {
        timers.push({ at: nowMs + ms, fire: resolve })
      }),
    async advance(ms: number) {
      const until = nowMs + ms
      while (nowMs < until) {
        nowMs = Math.min(until, nowMs + 50)
        const due = timers.filter((timer) => timer.at <= nowMs)
        timers = timers.filter((timer) => timer.at > nowMs)
        for (const timer of due) timer.fire()
        await settle()
      }
    },
  }
}

/** Lets everything that can go on without a timer go on. */
async function settle() {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

function queueOf(slots: number, waiting: number) {
  const clock = stillClock()
  const queue = new HashQueue({ slots, waiting, slotTimeoutMs: 10_000, now: clock.now, wait: clock.wait })
  return { clock, queue }
}

/** A task that ends when told, and tells the order of starts. */
function task(name: string, started: string[]) {
  const gate = Promise.withResolvers<string>()
  const run = () => {
    started.push(name)
    return gate.promise
  }
  return { run, end: () => gate.resolve(name), fail: (error: Error) => gate.reject(error) }
}

/** A request that is cancelled while it waits: its timer never fires and its continuation never runs. */
function joinAndVanish(queue: HashQueue, started: string[]) {
  void queue.run(task('vanished', started).run)
}

test('a task runs at once and its value comes back', async () => {
  const { queue } = queueOf(2, 64)
  expect(await queue.run(async () => 42)).toEqual({ ok: true, value: 42 })
})

test('no more tasks run than there are slots, and the others follow in order', async () => {
  const { queue, clock } = queueOf(2, 64)
  const started: string[] = []
  const tasks = ['a', 'b', 'c', 'd', 'e'].map((name) => task(name, started))
  const runs = tasks.map(({ run }) => queue.run(run))
  await settle()
  expect(started).toEqual(['a', 'b'])
  tasks[1]?.end()
  await settle()
  expect(started).toEqual(['a', 'b', 'c'])
  for (const { end } of tasks) end()
  await clock.advance(1_000)
  expect(started).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(await Promise.all(runs)).toEqual(['a', 'b', 'c', 'd', 'e'].map((value) => ({ ok: true, value })))
})

test('a newcomer does not overtake those who wait', async () => {
  const { queue } = queueOf(1, 64)
  const started: string[] = []
  const [first, second, third] = ['first', 'second', 'third'].map((name) => task(name, started))
  if (!first || !second || !third) throw new Error('three tasks')
  void queue.run(first.run)
  void queue.run(second.run)
  first.end()
  // In the same turn as the release, before the second has run on.
  const late = queue.run(third.run)
  await settle()
  expect(started).toEqual(['first', 'second'])
  second.end()
  third.end()
  expect(await late).toEqual({ ok: true, value: 'third' })
})

test('one more than may wait is told when to come back, and the others are served', async () => {
  const { queue } = queueOf(2, 64)
  const started: string[] = []
  const tasks = Array.from({ length: 66 }, (_, index) => task(`${index}`, started))
  const runs = tasks.map(({ run }) => queue.run(run))
  const refused = await queue.run(async () => 'never')
  expect(refused).toEqual({ ok: false, error: 'overloaded', retryAfter: expect.any(Number) })
  if (refused.ok) throw new Error('not refused')
  expect(refused.retryAfter).toBeGreaterThanOrEqual(1)
  for (const { end } of tasks) end()
  const outcomes = await Promise.all(runs)
  expect(outcomes.every((outcome) => outcome.ok)).toBe(true)
  expect(await queue.run(async () => 'again')).toEqual({ ok: true, value: 'again' })
})

test('a task that throws gives its slot back and its error to its caller', async () => {
  const { queue } = queueOf(1, 64)
  await expect(queue.run(() => Promise.reject(new Error('the object is gone')))).rejects.toThrow('the object is gone')
  expect(await queue.run(async () => 'next')).toEqual({ ok: true, value: 'next' })
})

test('a task that never settles gives its slot back after the time-out', async () => {
  const { queue, clock } = queueOf(1, 64)
  const started: string[] = []
  void queue.run(task('stuck', started).run)
  const next = task('next', started)
  const run = queue.run(next.run)
  await clock.advance(9_900)
  expect(started).toEqual(['stuck'])
  await clock.advance(600)
  expect(started).toEqual(['stuck', 'next'])
  next.end()
  expect(await run).toEqual({ ok: true, value: 'next' })
})

test('a task that settles after its slot was taken back frees no slot of another', async () => {
  const { queue, clock } = queueOf(1, 64)
  const started: string[] = []
  const [slow, next, last] = ['slow', 'next', 'last'].map((name) => task(name, started))
  if (!slow || !next || !last) throw new Error('three tasks')
  const slowRun = queue.run(slow.run)
  void queue.run(next.run)
  await clock.advance(10_500)
  void queue.run(last.run)
  slow.end()
  expect(await slowRun).toEqual({ ok: true, value: 'slow' })
  await clock.advance(2_000)
  expect(started).toEqual(['slow', 'next'])
})

test('a waiter that vanished does not block those behind it', async () => {
  const clock = stillClock()
  const started: string[] = []
  let alive = true
  // A cancelled request's timers never fire, and a release does not resume it either.
  const wait = (ms: number) => (alive ? clock.wait(ms) : new Promise<void>(() => {}))
  const queue = new HashQueue({ slots: 1, waiting: 64, slotTimeoutMs: 3_000, now: clock.now, wait })
  void queue.run(task('stuck', started).run)
  alive = false
  joinAndVanish(queue, started)
  alive = true
  const next = task('next', started)
  const run = queue.run(next.run)
  await clock.advance(3_500)
  expect(started).toEqual(['stuck', 'next'])
  next.end()
  expect(await run).toEqual({ ok: true, value: 'next' })
})

test('waiters that vanished leave their places to newcomers', async () => {
  const clock = stillClock()
  const started: string[] = []
  const queue = new HashQueue({ slots: 1, waiting: 3, slotTimeoutMs: 60_000, now: clock.now, wait: () => new Promise(() => {}) })
  void queue.run(task('stuck', started).run)
  for (let joined = 0; joined < 3; joined++) joinAndVanish(queue, started)
  expect((await queue.run(async () => 'early')).ok).toBe(false)
  await clock.advance(1_000)
  const late = queue.run(async () => 'late')
  await settle()
  const outcome = await Promise.race([late, Promise.resolve('waiting')])
  expect(outcome).toBe('waiting')
})

test('a waiter that a stalled timer kept from looking has its old place again', async () => {
  const clock = stillClock()
  const started: string[] = []
  let stalled = false
  const wait = (ms: number) => clock.wait(stalled ? 3_000 : ms)
  const queue = new HashQueue({ slots: 1, waiting: 64, slotTimeoutMs: 60_000, now: clock.now, wait })
  const [first, second, third] = ['first', 'second', 'third'].map((name) => task(name, started))
  if (!first || !second || !third) throw new Error('three tasks')
  void queue.run(first.run)
  stalled = true
  void queue.run(second.run)
  stalled = false
  await clock.advance(2_000)
  // Its arrival drops the second, which has not looked for two seconds.
  void queue.run(third.run)
  await clock.advance(2_000)
  first.end()
  await clock.advance(1_000)
  expect(started).toEqual(['first', 'second'])
  second.end()
  await clock.advance(1_000)
  expect(started).toEqual(['first', 'second', 'third'])
})

test('with the real clock 40 tasks go through two slots', async () => {
  const queue = new HashQueue({ slots: 2, waiting: 64, slotTimeoutMs: 10_000 })
  let running = 0
  let most = 0
  const runs = Array.from({ length: 40 }, (_, index) =>
    queue.run(async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 2))
      running -= 1
      return index
    }),
  )
  expect(await Promise.all(runs)).toEqual(Array.from({ length: 40 }, (_, value) => ({ ok: true, value })))
  expect(most).toBe(2)
})

test('strangers who fill the queue do not keep a known device out of it', async () => {
  const { queue } = queueOf(1, 2)
  const started: string[] = []
  const running = task('running', started)
  const done = [queue.run(running.run)]
  const waiting = ['a', 'b'].map((name) => task(name, started))
  done.push(...waiting.map(({ run }) => queue.run(run)))
  await settle()
  expect(await queue.run(task('stranger', started).run)).toMatchObject({ ok: false, error: 'overloaded' })
  const known = ['c', 'd'].map((name) => task(name, started))
  done.push(...known.map(({ run }) => queue.run(run, { known: true })))
  await settle()
  expect(await queue.run(task('one too many', started).run, { known: true })).toMatchObject({ ok: false, error: 'overloaded' })
  for (const each of [running, ...waiting, ...known]) each.end()
  expect((await Promise.all(done)).every(({ ok }) => ok)).toBe(true)
  expect(started).toEqual(['running', 'a', 'b', 'c', 'd'])
})
