import type { KnownClient } from '../../clients/client.ts'
import {
  type AssertionCheck,
  type PresentedAssertion,
  readClientAssertion,
  verifyAssertionSignature,
} from '../../oauth/client-assertion.ts'
import { replayDigest } from '../../oauth/replay-digest.ts'
import type { AppContext } from '../context.ts'
import { clientKeys, type FetchKeys } from './client-keys.ts'

/** `unavailable`: the client's keys could not be fetched; `invalid_client`: anything else. `reason` is for the log. */
export type AssertionOutcome = { ok: true } | { ok: false; error: 'invalid_client' | 'unavailable'; reason: string }

/**
 * Whether a client has proven itself by `private_key_jwt` (RFC 7523; OpenID Connect Core, 9). A good assertion is good once: the second one
 * to present it is refused. Only for clients that registered the method.
 */
export async function verifyClientAssertion(
  c: AppContext,
  { client }: KnownClient,
  presented: PresentedAssertion,
  fetchKeys: FetchKeys,
): Promise<AssertionOutcome> {
  if (client.token_endpoint_auth_method !== 'private_key_jwt') return refuse('the client registered another method')
  const { config } = c.get('services')
  const reading = readClientAssertion(presented, client, config.issuer, Math.floor(Date.now() / 1000))
  if (!reading.ok) return refuse(reading.reason)
  const verify = (keys: readonly unknown[]) => verifyAssertionSignature(reading.assertion, keys)
  const check = client.jwks !== null ? await verify(client.jwks.keys) : await verifyByReference(client.jwks_uri, fetchKeys, verify)
  if (check === null) return { ok: false, error: 'unavailable', reason: 'the keys of the client cannot be had' }
  if (!check.ok) return refuse(check.reason)
  const digest = await replayDigest(check.jti)
  // Not repeatable: the second arrival of a call whose reply was lost would be told that the proof is used.
  const isFirst = await c
    .get('objects')
    .replayMemory(`assertion:${client.client_id}`, 'consume', (memory) => memory.consume(digest, check.expires_at), { repeatable: false })
  return isFirst ? { ok: true } : refuse('the assertion was used before')
}

/** Null when there are no keys to verify with. */
async function verifyByReference(
  jwks_uri: string | null,
  fetchKeys: FetchKeys,
  verify: (keys: readonly unknown[]) => Promise<AssertionCheck>,
): Promise<AssertionCheck | null> {
  if (jwks_uri === null) return null
  const keys = await clientKeys(jwks_uri, fetchKeys)
  if (keys === null) return null
  const check = await verify(keys)
  if (check.ok || check.error !== 'unknown_key') return check
  // The client may have changed its keys since.
  const newer = await clientKeys(jwks_uri, fetchKeys, 'newer')
  return newer === null || newer === keys ? check : verify(newer)
}

const refuse = (reason: string): AssertionOutcome => ({ ok: false, error: 'invalid_client', reason })
