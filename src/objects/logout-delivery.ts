import clientsToml from '../../clients.toml'
import type { Client } from '../clients/client.ts'
import { type ConfiguredClients, readConfiguredClients } from '../clients/configured-clients.ts'
import { isDocumentUrl } from '../clients/document.ts'
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
 * Brings a client its logout tokens (OpenID Connect Back-Channel Logout, 2.5 to 2.8), oldest first. While the client cannot be reached all of
 * them wait for the first. One that it refuses is tried again behind the others: anybody can sign out of a session that it has never seen,
 * and what is refused for that must not keep the rest from it. After a day a notice is dropped.
 */
export async function deliverLogouts(env: Env, store: LogoutStore, registered: Client | null): Promise<void> {
  const now = () => Math.floor(Date.now() / 1000)
  store.sweep(now() - LOGOUT_RETRY_SECONDS)
  const read = readConfig({ ...env })
  const configured = read.ok ? readConfigured(read.config) : null
  let signer: Signer | null = null
  for (let round = 0; round < MAX_ROUND; round++) {
    const notice = store.next(now())
    if (!notice) return
    if (!read.ok || !configured) {
      // Whose clients these are is not known before the configuration is mended.
      return store.retry(notice.id, { tries: notice.tries + 1, refused: false, due_at: now() + logoutWait(notice.tries + 1) })
    }
    const client = registered ?? configured.get(notice.client_id)?.client ?? null
    const uri = addressOf(notice, client, read.config)
    signer ??= await openSigner(env, read.config)
    const alg = client?.id_token_signed_response_alg ?? 'RS256'
    const failure = uri === null ? null : await send({ ...notice, uri }, signer, alg, read.config)
    if (failure === null) {
      store.remove(notice.id)
      continue
    }
    const tries = notice.tries + 1
    const { refused, reason } = failure
    store.retry(notice.id, { tries, refused, due_at: now() + logoutWait(tries) })
    console.warn(JSON.stringify({ level: 'warn', event: 'logout_not_delivered', client_id: notice.client_id, tries, refused, reason }))
    if (!refused) return
  }
}

function readConfigured(config: Config): ConfiguredClients | null {
  const text = config.clientsToml
  const configured = readConfiguredClients(
    text === undefined ? { name: 'clients.toml', text: clientsToml } : { name: 'CLIENTS_TOML', text },
    config,
  )
  return configured.ok ? configured.clients : null
}

/**
 * Where a client listens today, should it have moved since it was authorized; null: nowhere. A document is not fetched for this. One that was
 * removed, or taken out of the configuration, is nobody's: it hears of nobody any more.
 */
function addressOf({ client_id, uri }: QueuedLogout, client: Client | null, config: Config): string | null {
  if (client) return client.backchannel_logout_uri
  return isDocumentUrl(client_id, config) ? uri : null
}

/** `refused`: the client has read it and said no (2.8); else it could not be told. */
type Failure = { refused: boolean; reason: string }

/** Null: the client has it. Each try is signed anew, for a logout token lives two minutes; its `jti` stays, so that it counts once. */
async function send(
  { id, client_id, uri, sub, sid }: QueuedLogout,
  signer: Signer,
  alg: SigningAlgorithm,
  config: Config,
): Promise<Failure | null> {
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
    if (!answer.ok) return { refused: false, reason: answer.reason }
    const { status } = answer
    return status === 200 || status === 204 ? null : { refused: status >= 400 && status < 500, reason: `it answers ${status}` }
  } catch (cause) {
    return { refused: false, reason: String(cause).slice(0, 200) }
  }
}
