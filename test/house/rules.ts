// The dependency direction of the house, as rules over source texts.

export type Source = { /** from the project's root, with slashes */ path: string; text: string }

const LOWEST = ['protocol']
const BASE = [...LOWEST, 'tokens', 'keys']
const MIDDLE = [...BASE, 'accounts', 'sessions', 'clients', 'revocation', 'directory', 'storage']
const SHELL = [...MIDDLE, 'login', 'oauth', 'sdk', 'ui', 'objects', 'config.ts', 'env.ts']

/** Which rooms (and files at the top of src/) each one may import, besides itself. */
const MAY_IMPORT: Record<string, string[]> = {
  protocol: [],
  storage: [],
  tokens: BASE,
  keys: BASE,
  accounts: MIDDLE,
  sessions: MIDDLE,
  clients: MIDDLE,
  revocation: MIDDLE,
  directory: MIDDLE,
  login: MIDDLE,
  // The strict readers of signed tokens are the SDK's: client assertions and DPoP proofs go through the same.
  oauth: [...MIDDLE, 'sdk'],
  sdk: LOWEST,
  cli: [...LOWEST, 'sdk'],
  ui: MIDDLE,
  'config.ts': BASE,
  'env.ts': ['objects'],
  objects: [...MIDDLE, 'login', 'oauth', 'config.ts', 'env.ts'],
  http: SHELL,
  'app.ts': [...SHELL, 'http'],
  'worker.ts': ['app.ts', 'http', 'objects', 'sdk', 'protocol', 'config.ts', 'env.ts'],
}

const PACKAGES: { name: RegExp; only: RegExp }[] = [
  { name: /^hono(\/|$)/, only: /^src\/(http\/|ui\/|app\.ts$|sdk\/hono\.ts$)/ },
  { name: /^cloudflare:workers$/, only: /^src\/(objects\/|worker\.ts$)/ },
]

/** Rooms that import no package but these. */
const ONLY_PACKAGES: Record<string, RegExp> = {
  protocol: /^$/,
  storage: /^$/,
  sdk: /^(jose|hono(\/.*)?)$/,
  // It is installed beside nothing else.
  cli: /^node:/,
}

const IMPORT =
  /^(?:import|export)\s+(?:type\s+)?(?:\*[^'"]*|\{[^}]*\}|\w[\w$]*(?:\s*,\s*(?:\{[^}]*\}|\*\s+as\s+\w+))?)\s*from\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm

/** Every module a source names, types and dynamic imports included. */
export function importsOf(text: string): string[] {
  return [...text.matchAll(IMPORT)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
}

/** `src/login/sign-in.ts` is in `login`, `src/app.ts` is itself. */
function roomOf(path: string): string {
  return path.split('/')[1] ?? ''
}

function resolved(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1)
}

/** Imports against the direction, one sentence each. */
export function wrongImports(sources: Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const room = roomOf(path)
    const rooms = MAY_IMPORT[room]
    if (!rooms) return [`${path}: the house has no room "${room}"`]
    return importsOf(text).flatMap((specifier) => {
      const wrong = specifier.startsWith('.') ? isWrongRoom(path, rooms, specifier) : isWrongPackage(path, specifier)
      return wrong ? [`${path} imports ${specifier}`] : []
    })
  })
}

/** What the operator writes at the root, and who reads it. */
const ROOT_FILES: Record<string, string[]> = { 'clients.toml': ['src/http/services.ts', 'src/objects/logout-delivery.ts'] }

function isWrongRoom(path: string, rooms: string[], specifier: string): boolean {
  if (ROOT_FILES[resolved(path, specifier)]?.includes(path)) return false
  const target = roomOf(resolved(path, specifier))
  return target !== roomOf(path) && !rooms.includes(target)
}

function isWrongPackage(path: string, specifier: string): boolean {
  const only = ONLY_PACKAGES[roomOf(path)]
  if (only && !only.test(specifier)) return true
  return PACKAGES.some((rule) => rule.name.test(specifier) && !rule.only.test(path))
}

const SQL =
  /\bsql\.exec\b|\b(?:SELECT\s+[\w*(]|INSERT\s+(?:OR\s+\w+\s+)?INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|CREATE\s+(?:TABLE|INDEX)\b)/
const MAY_HOLD_SQL = /-store\.ts$|^src\/(storage|directory)\//

/** Files that hold SQL and are no store. */
export function strayStatements(sources: Source[]): string[] {
  return sources.filter(({ path, text }) => !MAY_HOLD_SQL.test(path) && SQL.test(text)).map(({ path }) => path)
}

export const NO_NOUN = /(^|\/)(utils?|helpers?|services?|managers?|common|misc|lib)(\/|$)/
export const MAX_LINES = 300
/** A suite is a list: it may be longer. */
export const MAX_TEST_LINES = 500
