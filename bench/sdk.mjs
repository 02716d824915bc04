// npm run bench:sdk [-- --quick] [--rounds 5] [--only regex] [--lock file]: what the verifier costs beside its peers, how soon it refuses,
// what it holds in memory. Writes bench/sdk-results.md and bench/sdk-chart.svg, and every sample to bench/dist/sdk-results.json. With
// `--only` the rows of such names are timed and shown, and nothing is written. With `--lock` each round waits for its turn, and each proof.
// Where there is a redis-server (on the path, or where REDIS_SERVER says) sessions on Redis are timed too.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Refusal, run } from '../scripts/toolchain.mjs'
import { inTurn } from './oauth/turn.mjs'
import { installPeers } from './peers.mjs'

const HERE = import.meta.dirname
const say = (line) => process.stdout.write(`${line}\n`)

const FULL = { rounds: 5, seconds: 1, delays: 1000, keys: 20, denials: 1_000_000, tokens: 1_000_000 }
const QUICK = { rounds: 2, seconds: 1, delays: 60, keys: 2, denials: 100_000, tokens: 50_000 }

/** Whatever is started is stopped. */
async function using(started, work) {
  try {
    return await work(started)
  } finally {
    await started.stop()
  }
}

async function timeTargets(sizes, { only, lock }) {
  const { rounds } = await import('./rounds.mjs')
  const { startWorkerTargets } = await import('./sdk/targets.mjs')
  const { startNodeTargets } = await import('./sdk/node-targets.mjs')
  const { serveJwks } = await import('./sdk/tokens.mjs')
  const plan = { count: sizes.rounds, seconds: sizes.seconds, warmUpSeconds: 1, batchSize: 2 }
  return using(await serveJwks(), async (jwks) =>
    using(await startWorkerTargets(jwks.url, say), async (workers) =>
      using(await startNodeTargets(workers.product), async (node) => {
        const all = [...workers.targets, ...node.targets]
        const isWanted = ({ name, floor }) => !floor && new RegExp(only).test(name)
        // A bare route is run beside others only.
        const targets = all.filter((it) => isWanted(it) || (it.floor && all.some((other) => other.group === it.group && isWanted(other))))
        const samples = await rounds(targets, {
          ...plan,
          inTurn: (work) => inTurn(lock, work),
          onRound: (done) => say(`Round ${done} of ${plan.count}`),
        })
        return { plan, targets: targets.map(({ run: _, ready: __, ...target }) => target), samples }
      }),
    ),
  )
}

async function prove(sizes) {
  const { startProof } = await import('./sdk/proof.mjs')
  const { countCalls } = await import('./sdk/calls.mjs')
  const { measureDelays } = await import('./sdk/delays.mjs')
  const { measureDenials } = await import('./sdk/denials.mjs')
  const { measureSingles } = await import('./sdk/singles.mjs')
  return using(await startProof(), async (server) => {
    say('Counting what is asked of the issuer ...')
    const calls = await countCalls(server, 5)
    say(`Denials: ${sizes.denials} ...`)
    const denials = await measureDenials(server, sizes.denials, 1)
    return { calls, denials }
  })
    .then(async (measured) =>
      using(await startProof(), async (server) => {
        say(`Denials, one by one: ${sizes.denials} ...`)
        return { ...measured, singles: await measureSingles(server, sizes.denials) }
      }),
    )
    .then(async (measured) =>
      // Another list: a verifier beside a full one would first read all of it.
      using(await startProof(), async (server) => {
        say(`Revoking: ${sizes.delays} of each kind ...`)
        return { ...measured, delays: await measureDelays(server, sizes.delays, sizes.keys) }
      }),
    )
}

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      lock: { type: 'string' },
      out: { type: 'string', default: path.join(HERE, 'sdk-results.md') },
    },
  })
  const usual = values.quick ? QUICK : FULL
  const sizes = { ...usual, rounds: Number(values.rounds ?? usual.rounds) }
  if (process.platform !== 'linux') throw new Refusal('The bench reads CPU times from /proc, so it needs Linux.')
  await installPeers()
  const { measureMemory } = await import('./sdk/memory.mjs')
  const { markdown, points, tables } = await import('./sdk/results.mjs')
  const { drawChart } = await import('./sdk/chart.mjs')
  const timed = await timeTargets(sizes, values)
  if (values.only !== '') {
    say(tables(timed))
    return
  }
  const proven = await inTurn(values.lock, () => prove(sizes))
  say(`Tokens: ${sizes.tokens} ...`)
  const memory = await inTurn(values.lock, () => measureMemory(sizes.tokens))
  const results = { sizes, quick: values.quick, ...timed, ...proven, memory }
  const dist = path.join(HERE, 'dist')
  await mkdir(dist, { recursive: true })
  await writeFile(path.join(dist, 'sdk-results.json'), JSON.stringify(results, null, 1))
  await drawChart(points(results), path.join(path.dirname(values.out), 'sdk-chart.svg'))
  await writeFile(values.out, markdown(results))
  say(`Written: ${values.out}`)
}

await run(main)
process.exit()
