/**
 * The clients of clients.toml (or of CLIENTS_TOML): read once with the configuration, never written. What is wrong is said by the client it
 * is about and what to do, never with a value: one may be a secret that stands in the wrong place.
 */
import { parse, TomlError } from 'smol-toml'
import * as v from 'valibot'
import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { BUILT_IN_CLIENTS } from './built-in.ts'
import { isConfidential, type KnownClient, usesSecret } from './client.ts'
import { isSecretHash } from './client-secret.ts'
import { type MetadataRules, readClientMetadata } from './metadata.ts'
import { METADATA_ENTRIES } from './metadata-schema.ts'

/** By `client_id`. */
export type ConfiguredClients = ReadonlyMap<string, KnownClient>
type Problem = { variable: string; remedy: string }
export type ConfigurationRules = Omit<MetadataRules, 'source' | 'mayBeLegacy'> & { audiences: readonly string[] }

/** Where the text came from, for whoever must mend it. */
export type ClientsText = { name: 'clients.toml' | 'CLIENTS_TOML'; text: string }

const MEMBERS = new Set([...Object.keys(METADATA_ENTRIES), 'client_id', 'client_secret_sha256', 'serves'])
const strings = v.optional(v.array(v.string()), [])
const SecretShape = v.object({ client_secret_sha256: strings, serves: strings })

/** Reads them all, or says what is wrong with the first that is. */
export function readConfiguredClients(
  { name, text }: ClientsText,
  rules: ConfigurationRules,
): { ok: true; clients: ConfiguredClients } | { ok: false; problem: Problem } {
  const wrong = (remedy: string) => ({ ok: false as const, problem: { variable: name, remedy } })
  const tables = readTables(text)
  if (!tables.ok) return wrong(tables.remedy)
  const clients = new Map<string, KnownClient>()
  for (const [index, table] of tables.entries.entries()) {
    const id = idRefusal(table.client_id)
    if (id) return wrong(`(entry ${index + 1}): client_id ${id}`)
    const client_id = String(table.client_id)
    if (clients.has(client_id)) return wrong(`names the client "${client_id}" twice; take one entry out`)
    const read = readEntry(client_id, table, rules)
    if (!read.ok) return wrong(`(the client "${client_id}"): ${read.remedy}`)
    clients.set(client_id, read.known)
  }
  return { ok: true, clients }
}

type Table = Readonly<Record<string, unknown>>

function readTables(text: string): { ok: true; entries: Table[] } | { ok: false; remedy: string } {
  let file: Table
  try {
    file = parse(text)
  } catch (error) {
    // The message of the parser quotes the line.
    const place = error instanceof TomlError ? ` (line ${error.line}, column ${error.column})` : ''
    return { ok: false, remedy: `is not TOML${place}` }
  }
  if (Object.keys(file).some((key) => key !== 'client')) return { ok: false, remedy: 'must hold [[client]] entries only' }
  const entries: unknown = file.client ?? []
  if (!Array.isArray(entries) || !entries.every(isTable)) return { ok: false, remedy: 'must write each client as a [[client]] entry' }
  return { ok: true, entries }
}

const isTable = (value: unknown): value is Table => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Ids chosen here never look like those that we make (accounts, registered clients), or like the URL of a document. */
function idRefusal(id: unknown): string | null {
  if (typeof id !== 'string' || !/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(id))
    return 'must be 1 to 128 visible ASCII characters without " and \\'
  if (/^[\w-]{22}$/.test(id)) return 'must not look like an id of an account or a registered client (22 letters, digits, - and _)'
  if (/^[a-z][a-z\d+.-]*:/i.test(id)) return 'must not look like a URL'
  if (BUILT_IN_CLIENTS.has(id)) return `must not be "${id}": that client is built in`
  return id === FIRST_PARTY_CLIENT_ID ? `must not be "${FIRST_PARTY_CLIENT_ID}": that is this deployment itself` : null
}

function readEntry(
  client_id: string,
  table: Table,
  rules: ConfigurationRules,
): { ok: true; known: KnownClient } | { ok: false; remedy: string } {
  const wrong = (remedy: string) => ({ ok: false as const, remedy })
  if (Object.hasOwn(table, 'client_secret'))
    return wrong('must not hold a client_secret; write client_secret_sha256, as `npm run client-secret` prints it')
  const strange = Object.keys(table).find((key) => !MEMBERS.has(key))
  if (strange !== undefined) return wrong(`holds a member that is not known: ${/^\w{1,64}$/.test(strange) ? strange : 'its name is odd'}`)
  const lists = v.safeParse(SecretShape, table)
  if (!lists.success) return wrong('client_secret_sha256 and serves must be arrays of strings')
  const { client_secret_sha256, serves } = lists.output
  const read = readClientMetadata(client_id, table, { ...rules, source: 'configuration', mayBeLegacy: true })
  if (!read.ok) return wrong(read.description)
  const method = read.client.token_endpoint_auth_method
  if (usesSecret(read.client) !== client_secret_sha256.length > 0) {
    return wrong(
      usesSecret(read.client)
        ? `client_secret_sha256 is missing, for ${method}; \`npm run client-secret\` makes a secret and prints it`
        : `client_secret_sha256 must go: token_endpoint_auth_method ${method} uses none`,
    )
  }
  if (!client_secret_sha256.every(isSecretHash))
    return wrong('client_secret_sha256 must hold SHA-256 hashes in base64url, as `npm run client-secret` prints them')
  if (!serves.every((audience) => rules.audiences.includes(audience))) return wrong('serves must name audiences that AUDIENCES lists')
  if (serves.length > 0 && !isConfidential(read.client)) return wrong('serves is for clients that can prove who they are')
  const secrets = client_secret_sha256.map((hash) => ({ hash, expires_at: null }))
  return { ok: true, known: { client: { ...read.client, serves: [...new Set(serves)] }, secrets } }
}
