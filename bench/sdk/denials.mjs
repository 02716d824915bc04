// A million live denials: what they cost on the wire, in memory, to build and to look into.
import { Connection, jsonOf, repeat } from '../client.mjs'
import { accessToken, post, signUp } from '../people.mjs'
import { cpuMs } from '../server.mjs'
import { openInspector } from './inspector.mjs'

/** The list packs so many into a row, and one call carries no more. */
const BATCH = 50_000
const DELTA = 1000
const CHECKS = 2_000_000
/** jti, client_id, kid, sub, sid: what a first-party token is looked up by. */
const LOOK_UPS = 5
const ROUNDS = 5
/** Seconds that the denials live: longer than anything here takes. */
const LIFE = 3600

const later = () => Math.floor(Date.now() / 1000) + LIFE

async function timed(work) {
  const from = performance.now()
  await work()
  return performance.now() - from
}

/** Nanoseconds of one check, `ROUNDS` times; the request around it is taken off. */
async function checkNs(ask, how) {
  const answers = []
  for (let round = 0; round < ROUNDS; round++) {
    const empty = await timed(() => ask(`/view/check/${how}/1`))
    const full = await timed(() => ask(`/view/check/${how}/${CHECKS}`))
    answers.push(((full - empty) * 1e6) / CHECKS)
  }
  return answers
}

/** CPU in ms of one `fresh` request with a remembered token. */
async function freshCpuMs(server, product, person, seconds) {
  const authorization = `Bearer ${await accessToken(product, person)}`
  const answers = []
  for (let round = 0; round <= ROUNDS; round++) {
    const before = await cpuMs(server.pid)
    const { count, failed } = await repeat(server.apiPort, '/fresh', { authorization }, seconds)
    if (failed > 0) throw new Error(`${failed} of ${count} failed`)
    // The first is the warm-up; with a full list it also builds the view.
    if (round > 0) answers.push(((await cpuMs(server.pid)) - before) / count)
  }
  return answers
}

async function measureView(ask) {
  const { bytes } = await ask('/view/snapshot')
  const buildMs = []
  for (let round = 0; round < ROUNDS; round++) buildMs.push(await timed(() => ask('/view/build/1')))
  await ask('/view/tokens')
  await ask(`/view/check/first/${CHECKS}`)
  const firstNs = await checkNs(ask, 'first')
  return { bytes, buildMs, firstNs, lookUpNs: firstNs.map((ns) => ns / LOOK_UPS), againNs: await checkNs(ask, 'again') }
}

/** Bytes that a built view holds. */
async function viewBytes(server, ask) {
  const { heapBytes, close } = await openInspector(server.inspectorPort, 'api')
  const nudge = () => ask('/view/nudge')
  await ask('/view/forget?view=1')
  const before = await heapBytes(nudge)
  await ask('/view/snapshot')
  await ask('/view/build/1')
  await ask('/view/forget')
  const after = await heapBytes(nudge)
  close()
  return after - before
}

/** @param {Awaited<ReturnType<import('./proof.mjs').startProof>>} server */
export async function measureDenials(server, count, seconds) {
  const [api, product] = await Promise.all([Connection.open(server.apiPort), Connection.open(server.port)])
  const ask = async (route) => jsonOf(await api.request('POST', route, {}, ''))
  const deny = async (number) => jsonOf(await post(product, '/bench/deny', { count: number, end: later() })).cursor
  const feedBytes = async (query) => {
    const { head } = await product.request('GET', `/revocations${query}`)
    return Number(/content-length: (\d+)/i.exec(head)[1])
  }
  try {
    const person = await signUp(product)
    const none = { ...(await measureView(ask)), cpuMs: await freshCpuMs(server, product, person, seconds) }
    const addMs = []
    let cursor
    for (let held = 0; held < count; held += BATCH) {
      addMs.push(
        await timed(async () => {
          cursor = await deny(Math.min(BATCH, count - held))
        }),
      )
    }
    const many = await measureView(ask)
    const heapBytes = await viewBytes(server, ask)
    many.cpuMs = await freshCpuMs(server, product, person, seconds)
    const snapshotBytes = await feedBytes('')
    await deny(DELTA)
    const deltaBytes = await feedBytes(`?after=${cursor}`)
    return { count, delta: DELTA, none, many, addMs, heapBytes, snapshotBytes, deltaBytes }
  } finally {
    api.close()
    product.close()
  }
}
