import clientsToml from '../../clients.toml'
import type { Client } from '../clients/client.ts'
import { readConfiguredClients } from '../clients/configured-clients.ts'
import { fetchOutside } from '../clients/fetch-outside.ts'
import { LOGOUT_RETRY_SECONDS, logoutWait } from '../clients/logout-schedule.ts'
import type { LogoutStore, QueuedLogout } from '../clients/logout-store.ts'
import { type Config, readConfig } from '../config.ts'
import type { Env } from '../env.ts'
import type { SigningAlgorithm } from '../keys/key.ts'
import { openSecretRing } from '../keys/secret-ring.ts'
import { Signer } from '../keys/signer.ts'
import { LOGOUT_TOKEN_TYP, logoutTokenClaims } from '../tokens/logout-token.ts'
import { call } from './call.ts'

/** Milliseconds for one try, and bytes that a client's answer may have. */
const TIMEOUT_MS = 5_000
const MAX_ANSWER_BYTES = 4_096
/** Notices that one alarm brings: a client with thousands of them does not keep the object awake for minutes. */
const MAX_ROUND = 50

/** Signs with the key set's own answer at each round: an object keeps no key, and the key set never answers a revoked one. */
async function openSigner(env: Env, config: Config): Promise<Signer> {
  return new Signer(await openSecretRing(config.secrets), {
    activeKey: (alg) =>
      call(
        'KeySet.activeKey',
        () => env.KEY_SET.getByName('keys'),
        (keySet) => keySet.activeKey(alg),
      ),
    keyStatus: async () => 'unknown',
  })
}

/**
 * Brings a client its logout tokens (OpenID Connect Back-Channel Logout, 2.5 to 2.8). One that cannot be delivered goes behind the others:
 * a client that always refuses one (anybody can sign out of a session that it has never seen) still hears of the rest. After a day it is
 * dropped. `failures`: how many tries in a row have failed before; all wait the longer, the more there are. Answers how many it is now.
 */
export async function deliverLogouts(env: Env, store: LogoutStore, registered: Client | null, failures: number): Promise<number> {
  const read = readConfig({ ...env })
  if (!read.ok) return failures
  const now = () => Math.floor(Date.now() / 1000)
  store.sweep(now() - LOGOUT_RETRY_SECONDS)
  let signer: Signer | null = null
  let failed = failures
  for (let round = 0; round < MAX_ROUND; round++) {
    const notice = store.first()
    if (!notice || notice.due_at > now()) return failed
    signer ??= await openSigner(env, read.config)
    const failure = await send(notice, signer, algOf(notice, registered, read.config), read.config)
    if (failure === null) {
      store.remove(notice.id)
      failed = 0
      continue
    }
    const tries = notice.tries + 1
    failed++
    store.postpone(now() + logoutWait(failed))
    store.retry(notice.id, tries, now() + Math.max(logoutWait(tries), logoutWait(failed)) + 1)
    console.warn(JSON.stringify({ level: 'warn', event: 'logout_not_delivered', client_id: notice.client_id, tries, reason: failure }))
    return failed
  }
  return failed
}

/** What its ID tokens are signed with (Back-Channel Logout, 2.4): as it registered, as the operator says, or as everybody's. */
function algOf({ client_id }: QueuedLogout, registered: Client | null, config: Config): SigningAlgorithm {
  if (registered) return registered.id_token_signed_response_alg
  const text = config.clientsToml
  const configured = readConfiguredClients(
    text === undefined ? { name: 'clients.toml', text: clientsToml } : { name: 'CLIENTS_TOML', text },
    config,
  )
  return (configured.ok && configured.clients.get(client_id)?.client.id_token_signed_response_alg) || 'RS256'
}

/** Null: the client has it. Each try is signed anew, for a logout token lives two minutes; its `jti` stays, so that it counts once. */
async function send(
  { id, client_id, uri, sub, sid }: QueuedLogout,
  signer: Signer,
  alg: SigningAlgorithm,
  config: Config,
): Promise<string | null> {
  const now = Math.floor(Date.now() / 1000)
  try {
    const sign = await signer.prepare(now, undefined, { alg, typ: LOGOUT_TOKEN_TYP })
    const logout_token = await sign(logoutTokenClaims({ issuer: config.issuer, client_id, sub, sid, jti: id, now }))
    const answer = await fetchOutside(
      uri,
      {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ logout_token }).toString(),
        timeout: TIMEOUT_MS,
        maxBytes: MAX_ANSWER_BYTES,
      },
      { ...config, fetch: (url, init) => fetch(url, init) },
    )
    if (!answer.ok) return answer.reason
    return answer.status === 200 || answer.status === 204 ? null : `it answers ${answer.status}`
  } catch (cause) {
    return String(cause).slice(0, 200)
  }
}
