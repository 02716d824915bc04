// Interleaved rounds: every target in a random order, the bare route of its group before, between and after, and each target against the
// bare runs beside it. What the machine does meanwhile thus touches both.
import { cpuMs } from './server.mjs'

/** Targets between two runs of the bare route, unless a plan says otherwise. */
const BATCH = 3
/** Run before the clock starts, so that the objects of a target are awake again: they sleep after 10 s. */
const LEAD_IN_SECONDS = 1

/**
 * @typedef {{ name: string, rps: number, p50Ms: number, cpuMs: number, besideMs: number, cpuRatio: number, speedRatio: number }} Sample
 *   `cpuMs` a request, of which `besideMs` is that of the processes beside the serving one; the ratios are against the bare route
 */

/** Of the serving process, and of those that work for it: a target's `beside` are their ids. */
async function cpuOf({ pid, beside = [] }) {
  const [serving, ...others] = await Promise.all([pid, ...beside].map(cpuMs))
  return { serving, others: others.reduce((sum, ms) => sum + ms, 0) }
}

/** One run of one target; throws when a request of it failed. */
export async function measure(target, seconds) {
  await target.ready?.(seconds)
  if (target.leadIn) await target.run(LEAD_IN_SECONDS)
  const before = await cpuOf(target)
  const startedMs = performance.now()
  const { count, failed, reason, p50Ms } = await target.run(seconds)
  const took = (performance.now() - startedMs) / 1000
  const after = await cpuOf(target)
  const besideMs = after.others - before.others
  const spent = after.serving - before.serving + besideMs
  if (failed > 0 || count === 0) throw new Error(`${target.name}: ${count} answered, ${failed} failed${reason ? `, ${reason}` : ''}`)
  return { name: target.name, rps: count / took, p50Ms, cpuMs: spent / count, besideMs: besideMs / count }
}

const mean = (a, b) => (a + b) / 2

const compared = (sample, before, after) => ({
  ...sample,
  cpuRatio: sample.cpuMs / mean(before.cpuMs, after.cpuMs),
  speedRatio: sample.rps / mean(before.rps, after.rps),
})

function shuffled(items) {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** One round; answers its samples, those of the bare routes included. */
export async function round(targets, seconds, batchSize = BATCH) {
  const samples = []
  for (const group of shuffled([...new Set(targets.map(({ group }) => group))])) {
    const ofGroup = targets.filter((target) => target.group === group)
    const floor = ofGroup.find((target) => target.floor)
    const order = shuffled(ofGroup.filter((target) => !target.floor))
    if (!floor || order.length === 0) continue
    let before = await measure(floor, seconds)
    samples.push(compared(before, before, before))
    for (let at = 0; at < order.length; at += batchSize) {
      const batch = []
      for (const target of order.slice(at, at + batchSize)) batch.push(await measure(target, seconds))
      const after = await measure(floor, seconds)
      samples.push(compared(after, after, after), ...batch.map((sample) => compared(sample, before, after)))
      before = after
    }
  }
  return samples
}

/**
 * A target with `slices` is run so often in each round, in as many passes: where little is between two targets, only more runs tell
 * them apart.
 * @returns {Promise<Sample[]>}
 */
export async function rounds(targets, { count, seconds, warmUpSeconds, batchSize, inTurn = (work) => work(), onRound }) {
  await inTurn(async () => {
    for (const target of targets) await measure(target, warmUpSeconds)
  })
  const samples = []
  const passes = Math.max(...targets.map(({ slices = 1 }) => slices))
  for (let done = 1; done <= count; done++) {
    await inTurn(async () => {
      for (let pass = 1; pass <= passes; pass++) {
        const ofPass = targets.filter(({ floor, slices = 1 }) => floor || slices >= pass)
        samples.push(...(await round(ofPass, seconds, batchSize)))
      }
    })
    onRound(done)
  }
  return samples
}
