import type { Env } from '../env.ts'
import type { LogoutNotice, OutboxStore, StoredLetter } from '../revocation/outbox-store.ts'
import { call } from './call.ts'

/** The one list, the one development mailbox. */
export const openList = (env: Env) => env.REVOCATION_LIST.getByName('list')
export const openMailbox = (env: Env) => env.MAILBOX.getByName('mailbox')

/** Milliseconds until the alarm tries again what could not be delivered, by the age of the oldest letter. */
export const FIRST_RETRY_MS = 2_000
const LONGEST_RETRY_MS = 300_000
const DELIVERY_MS = 5_000

export function retryDelay(letters: readonly StoredLetter[], nowMs: number): number {
  const oldest = letters[0]?.created_at ?? nowMs / 1000
  return Math.min(LONGEST_RETRY_MS, Math.max(FIRST_RETRY_MS, (nowMs - oldest * 1000) / 2))
}

/**
 * Hands over what the outbox holds and removes what has arrived. Answers whether no denial is left: only then may whoever asked for a
 * revocation be told that it is done. A letter can arrive twice, when the reply is lost; it cannot get lost.
 */
export async function deliver(env: Env, outbox: OutboxStore): Promise<{ denied: boolean; empty: boolean }> {
  for (;;) {
    const letters = outbox.pending()
    const denials = letters.filter((letter) => letter.target === 'denial')
    const mails = letters.filter((letter) => letter.target === 'mail')
    const logouts = letters.filter((letter) => letter.target === 'logout')
    if (letters.length === 0) return { denied: true, empty: true }
    const [denied, mailed, queued] = await Promise.all([
      denials.length === 0 ||
        arrived(
          call(
            'RevocationList.add',
            () => openList(env),
            (list) => list.add(denials.map(({ body }) => body)),
          ),
        ),
      mails.length === 0 ||
        arrived(
          call(
            'Mailbox.deliver',
            () => openMailbox(env),
            (box) => box.deliver(mails.map(({ body }) => body)),
          ),
        ),
      queueLogouts(
        env,
        logouts.map(({ body }) => body),
      ),
    ])
    const queuedLetters = logouts.filter(({ body }) => queued.has(body.client_id))
    outbox.remove([...(denied ? denials : []), ...(mailed ? mails : []), ...queuedLetters])
    if (!denied || !mailed || queuedLetters.length < logouts.length) return { denied, empty: false }
  }
}

/** Gives each client's notices to its object, which keeps their order; answers the clients whose object has them. */
async function queueLogouts(env: Env, notices: readonly LogoutNotice[]): Promise<Set<string>> {
  const byClient = Map.groupBy(notices, ({ client_id }) => client_id)
  const queued = await Promise.all(
    [...byClient].map(async ([client_id, own]) => {
      const sent = call(
        'Client.queueLogout',
        () => env.CLIENT.getByName(client_id),
        (client) => client.queueLogout(own),
      )
      return (await arrived(sent)) ? client_id : null
    }),
  )
  return new Set(queued.filter((client_id) => client_id !== null))
}

async function arrived(sent: Promise<unknown>): Promise<boolean> {
  const done = new AbortController()
  try {
    // A list that hangs is as good as one that is away: whoever waits is told so, and the alarm goes on.
    const hung = scheduler.wait(DELIVERY_MS, { signal: done.signal }).then(() => Promise.reject(new Error('no answer in time')))
    await Promise.race([sent, hung])
    return true
  } catch (cause) {
    console.warn(JSON.stringify({ level: 'warn', event: 'delivery_failed', cause: String(cause) }))
    return false
  } finally {
    done.abort()
  }
}
