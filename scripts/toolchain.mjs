// Where the project and its installed tools are, and the environment in which every tool runs: this project's own Node first, and no
// tool that asks the network for updates, counts its uses or offers to install something.
import path from 'node:path'

export const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..')
export const BIN = path.join(ROOT, 'node_modules', '.bin')
export const NODE = path.join(BIN, 'node')

/** @param {Record<string, string>} [more] over the process's own environment */
export function toolEnvironment(more = {}) {
  return {
    ...process.env,
    PATH: `${BIN}${path.delimiter}${process.env.PATH ?? ''}`,
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    ...more,
  }
}

/** A failure that is the user's to mend: its message, one sentence, is all that is shown. */
export class Refusal extends Error {}

/**
 * Runs a script's main function: a `Refusal` becomes its sentence on stderr and exit code 1.
 * @param {() => Promise<number | undefined>} main answers the exit code
 */
export async function run(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}
