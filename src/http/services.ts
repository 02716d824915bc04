import clientsToml from '../../clients.toml'
import { BUILT_IN_CLIENTS } from '../clients/built-in.ts'
import type { KnownClient } from '../clients/client.ts'
import { type ConfiguredClients, readConfiguredClients } from '../clients/configured-clients.ts'
import { type Config, type ConfigProblem, readConfig } from '../config.ts'
import type { Env } from '../env.ts'
import { openSecretRing, type SecretRing } from '../keys/secret-ring.ts'
import { Signer } from '../keys/signer.ts'
import { HashQueue } from '../login/hash-queue.ts'
import { type BoundedMap, boundedMap } from '../sdk/bounded-map.ts'
import { createVerifier, type Verifier, type VerifierBinding } from '../sdk/index.ts'
import { type ClientCheck, clientCheckOf } from './client-check.ts'
import { liveCheckOf } from './live-check.ts'
import { type DocumentFetcher, documentFetcher } from './oauth/fetch-document.ts'
import { type Objects, objects } from './objects.ts'

/** What an isolate keeps between requests: values only, never a stub, a request or a promise of somebody else's. */
export type Services = {
  config: Config
  ring: SecretRing
  signer: Signer
  /** The objects, as verifiers see them; the same three calls that the service binding offers. */
  binding: VerifierBinding
  verifier: Verifier
  /** For the service binding: tokens of every audience, always `live`. */
  checker: Verifier
  /** For routes that read the token's account anyway: the other half of `live`. */
  clientCheck: ClientCheck
  objects: Objects
  hashes: HashQueue
  /** Fetches what stands at addresses that others chose. */
  documents: DocumentFetcher
  clients: {
    /** Those that are always there included. */
    configured: ConfiguredClients
    /** What was last read of registered clients, and when. */
    kept: BoundedMap<{ known: KnownClient | null; readMs: number }>
    /** When this isolate last told a client that it was used. */
    used: BoundedMap<number>
  }
}

/** Design, "People": at most two hashes at a time in an isolate; contract 11a: at most 64 wait. */
const HASHES = { slots: 2, waiting: 64, slotTimeoutMs: 10_000 }

/** A registration is at most 16 KiB: these take a few megabytes of the isolate's 128. */
const KEPT_CLIENTS = 500

let opened: { env: Env; services: Services } | undefined

/** The services of this isolate, made at its first request. A wrong configuration is found here, before anything is served. */
export async function openServices(env: Env): Promise<{ ok: true; services: Services } | { ok: false; problem: ConfigProblem }> {
  if (opened?.env === env) return { ok: true, services: opened.services }
  const read = readConfig({ ...env })
  if (!read.ok) return read
  const { config } = read
  const text = config.clientsToml
  const clients = readConfiguredClients(
    text === undefined ? { name: 'clients.toml', text: clientsToml } : { name: 'CLIENTS_TOML', text },
    config,
  )
  if (!clients.ok) return clients
  const configured = new Map([...(config.cliClient ? BUILT_IN_CLIENTS : []), ...clients.clients])
  const ring = await openSecretRing(config.secrets)
  const reached = objects(env)
  const { keySet, list } = reached
  const binding: VerifierBinding = {
    jwks: () => keySet('jwks', (stub) => stub.jwks()),
    revocations: (after) => list('feed', (stub) => stub.feed(after)),
    check: liveCheckOf(reached, configured),
  }
  const verifier = createVerifier({ issuer: config.issuer, audience: config.issuer, binding })
  const signer = new Signer(ring, {
    activeKey: (alg) => keySet('activeKey', (stub) => stub.activeKey(alg)),
    keyStatus: (kid, waitUntil) => verifier.keyStatus(kid, waitUntil),
  })
  const checker = createVerifier({ issuer: config.issuer, audience: [...config.audiences], binding, freshness: 'live' })
  const services: Services = {
    config,
    ring,
    signer,
    binding,
    verifier,
    checker,
    clientCheck: clientCheckOf(reached, configured),
    objects: reached,
    hashes: new HashQueue(HASHES),
    documents: documentFetcher({ ...config, fetch: (url, init) => fetch(url, init), nowMs: () => Date.now() }),
    clients: { configured, kept: boundedMap(KEPT_CLIENTS), used: boundedMap(KEPT_CLIENTS) },
  }
  opened = { env, services }
  return { ok: true, services }
}
