import type { Client, KnownClient } from '../../clients/client.ts'
import { CLIENT_CACHE_SECONDS, isRegisteredId } from '../../clients/client.ts'
import { isDocumentUrl, readClientDocument } from '../../clients/document.ts'
import { besides } from '../besides.ts'
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'

/**
 * The client of this id, or null: one of the configuration, else the one that the document at this https URL describes, else one that is
 * registered. What was read of a registered one is kept for 5 seconds. Secrets may have expired in that time: whoever compares one looks.
 */
export async function findClient(c: AppContext, client_id: string): Promise<KnownClient | null> {
  const { clients } = c.get('services')
  const kept = clients.kept.get(client_id)
  const age = kept ? Date.now() - kept.readMs : 0
  if (kept && age >= 0 && age < CLIENT_CACHE_SECONDS * 1000) return kept.known
  return findClientAtOnce(c, client_id)
}

/** The same without the 5 seconds, for `live`; a document may still be as old as fetchDocument keeps it. */
export async function findClientAtOnce(c: AppContext, client_id: string): Promise<KnownClient | null> {
  const { clients } = c.get('services')
  const configured = clients.configured.get(client_id)
  if (configured) return configured
  if (client_id.includes(':')) return findDocument(c, client_id)
  // An id that we never made opens no object.
  if (!isRegisteredId(client_id)) return null
  const known = await c.get('objects').client(client_id, 'find', (stub) => stub.find())
  clients.kept.set(client_id, { known, readMs: Date.now() })
  return known
}

/** This isolate has changed or removed a client: what it kept of it is old. Others hear of it within 5 seconds. */
export function forgetClient(c: AppContext, client_id: string): void {
  c.get('services').clients.kept.delete(client_id)
}

/** A registered client has been given a token: without that for long, it is forgotten. Nobody waits for it, one call an hour at most. */
export function noteClientUse(c: AppContext, { client_id, source }: Client): void {
  const { used } = c.get('services').clients
  const before = used.get(client_id)
  if (source !== 'registration' || (before !== undefined && Date.now() - before < 3_600_000)) return
  used.set(client_id, Date.now())
  c.executionCtx.waitUntil(besides(c, 'the use of a client', () => c.get('objects').client(client_id, 'use', (stub) => stub.use())))
}

async function findDocument(c: AppContext, client_id: string): Promise<KnownClient | null> {
  const { config, documents } = c.get('services')
  if (!isDocumentUrl(client_id, config)) return null
  const fetched = await documents(client_id)
  const read = fetched.ok ? readClientDocument(client_id, fetched.document, config) : fetched
  if (read.ok) return { client: read.client, secrets: [] }
  log(c, 'info', 'client_document_refused', { reason: read.reason })
  return null
}
