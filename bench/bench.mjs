// npm run bench [-- --rounds 5] [--seconds 3] [--no-peers]: what an operation costs against the bare route beside it, on the production
// bundle. Writes bench/results.md, and every sample to bench/dist/results.json.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Refusal, run } from '../scripts/toolchain.mjs'
import { DIST } from './bundles.mjs'
import { countOperations } from './counts.mjs'
import { installPeers } from './peers.mjs'
import { markdown, table } from './results.mjs'
import { rounds } from './rounds.mjs'
import { startTargets } from './targets.mjs'

const WARM_UP_SECONDS = 1

const say = (line) => process.stdout.write(`${line}\n`)

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      'no-peers': { type: 'boolean', default: false },
      out: { type: 'string', default: path.join(import.meta.dirname, 'results.md') },
    },
  })
  const plan = { count: Number(values.rounds), seconds: Number(values.seconds), warmUpSeconds: WARM_UP_SECONDS }
  const peers = !values['no-peers']
  if (process.platform !== 'linux') throw new Refusal('The bench reads CPU times from /proc, so it needs Linux.')
  if (peers) await installPeers(' `npm run bench -- --no-peers` measures without them.')
  say('Counting rows and calls ...')
  const counts = await countOperations()
  say('Starting a workerd for each ...')
  const { targets, stop } = await startTargets(peers)
  try {
    const samples = await rounds(targets, { ...plan, onRound: (done) => say(`Round ${done} of ${plan.count}`) })
    const results = { plan, targets: targets.map(({ run: _, ...target }) => target), samples, counts }
    await mkdir(DIST, { recursive: true })
    await writeFile(path.join(DIST, 'results.json'), JSON.stringify(results, null, 1))
    await writeFile(values.out, markdown(results))
    say(table(results))
  } finally {
    await stop()
  }
}

await run(main)
process.exit()
