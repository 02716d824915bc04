// npm run bench:oauth [-- --rounds 5] [--seconds 1.5] [--lock file] [--only regex]: tokens and introspections a second, and the CPU of
// each, beside other servers. Writes bench/oauth-results.md, and every sample to bench/dist/oauth-results.json. With `--lock` each round
// waits for its turn, so that two benches on one machine do not measure each other. Where there is a redis-server (on the path, or where
// REDIS_SERVER says) oidc-provider is timed on Redis too.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Refusal, run } from '../scripts/toolchain.mjs'
import { DIST } from './bundles.mjs'
import { installPeers } from './peers.mjs'
import { measure, round } from './rounds.mjs'

/** Runs of each target before the first round: V8 compiles a product's code for some 10,000 requests, on a thread that is counted. */
const WARM_UPS = 5

const say = (line) => process.stdout.write(`${line}\n`)

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1.5' },
      lock: { type: 'string' },
      only: { type: 'string', default: '' },
      out: { type: 'string', default: path.join(import.meta.dirname, 'oauth-results.md') },
    },
  })
  const plan = { count: Number(values.rounds), seconds: Number(values.seconds), warmUps: WARM_UPS }
  if (process.platform !== 'linux') throw new Refusal('The bench reads CPU times from /proc, so it needs Linux.')
  await installPeers()
  const { startTargets } = await import('./oauth/targets.mjs')
  const { inTurn } = await import('./oauth/turn.mjs')
  const { markdown, tables } = await import('./oauth/results.mjs')
  say('Starting a process for each ...')
  const { targets: all, stop } = await startTargets()
  const targets = all.filter(({ floor, name }) => floor || new RegExp(values.only).test(name))
  try {
    await inTurn(values.lock, async () => {
      for (const target of targets) for (let done = 0; done < WARM_UPS; done++) await measure(target, plan.seconds)
    })
    const samples = []
    for (let done = 1; done <= plan.count; done++) {
      samples.push(...(await inTurn(values.lock, () => round(targets, plan.seconds))))
      say(`Round ${done} of ${plan.count}`)
    }
    const results = { plan, targets: targets.map(({ run: _, ready: __, ...target }) => target), samples }
    say(tables(results))
    await mkdir(DIST, { recursive: true })
    await writeFile(path.join(DIST, 'oauth-results.json'), JSON.stringify(results, null, 1))
    if (values.only === '') await writeFile(values.out, markdown(results))
  } finally {
    await stop()
  }
}

await run(main)
process.exit()
