// The results of bench:oauth as Markdown: a table for each operation, what is ahead of what, how it was measured, what the peers leave out.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { CONNECTIONS } from '../client.mjs'
import { REDIS_VERSION } from '../redis.mjs'
import { headed, show, spread } from '../results.mjs'
import { CODES, CODES_BEFORE } from './targets.mjs'

const OPERATIONS = [
  ['code', 'Code for tokens'],
  ['refresh', 'Refresh'],
  ['client_credentials', 'client_credentials'],
  ['introspection', 'Introspection'],
  ['RS256', 'One RS256 signature (RSA, 2048 bits) and nothing else, by hand'],
]

const STATES = {
  durable: 'flushed to disk before the answer',
  none: 'nothing is stored',
  KV: 'KV (Miniflare)',
  lax: 'on disk, flushed later',
  memory: 'in memory only',
}

const of = ({ samples }, name, field) => spread(samples.filter((sample) => sample.name === name).map((sample) => sample[field]))

const ofOperation = ({ targets }, operation) => targets.filter((target) => target.operation === operation)

/** Ours that give as much: the same ID token, or none. */
const oursLike = (results, { operation, idToken }) =>
  ofOperation(results, operation).filter((target) => target.ours && target.idToken === idToken)

/** Of two the first: clients in the configuration, as oidc-provider's are. */
const oursBeside = (results, target) => oursLike(results, target)[0]

/** How many times ours a target's CPU is, each against the bare route beside it. */
const timesOurs = (results, target, ours = oursBeside(results, target)) =>
  of(results, target.name, 'cpuRatio').median / of(results, ours.name, 'cpuRatio').median

function operationTable(results, operation) {
  const heads = ['', 'state', 'CPU ms', 'CPU x bare route', 'CPU x ours', 'per second', 'p50 ms']
  const rows = ofOperation(results, operation)
    .toSorted((a, b) => Object.keys(STATES).indexOf(a.state) - Object.keys(STATES).indexOf(b.state))
    .map((target) => {
      const figure = (field, digits) => show(of(results, target.name, field), digits)
      const times = target.ours || !oursBeside(results, target) ? '' : timesOurs(results, target).toFixed(2)
      const label = target.ours ? `**${target.of}**` : target.of
      return [label, STATES[target.state], figure('cpuMs', 3), figure('cpuRatio', 2), times, figure('rps', 0), figure('p50Ms', 1)]
    })
  return headed(heads, rows)
}

export const tables = (results) =>
  OPERATIONS.filter(([operation]) => ofOperation(results, operation).length > 0)
    .map(([operation, title]) => `## ${title}\n\n${operationTable(results, operation)}`)
    .join('\n\n')

/** By the medians of CPU; where the rounds' ranges overlap, it says so. */
function verdictOn(results, target, beside) {
  const theirs = of(results, target.name, 'cpuRatio')
  const ours = of(results, beside.name, 'cpuRatio')
  if (theirs.median < ours.median) return 'NOT ahead'
  return theirs.min > ours.max ? 'ahead' : 'ahead by the median, ranges overlap'
}

/** Against each peer that keeps its state durably. */
function goals(results) {
  const peers = results.targets.filter(({ state, ours, hand }) => !ours && !hand && ['durable', 'none', 'KV'].includes(state))
  return peers.flatMap((target) => {
    const rows = oursLike(results, target)
    return rows.map((ours) => {
      const times = timesOurs(results, target, ours)
      const speed = of(results, ours.name, 'rps').median / of(results, target.name, 'rps').median
      const beside = rows.length > 1 ? ` (beside ${ours.of})` : ''
      const figures = `${times.toFixed(2)} times our CPU; we do ${speed.toFixed(2)} times as many a second`
      return `- ${verdictOn(results, target, ours)}: ${target.name}${beside}: ${figures}`
    })
  })
}

function versions() {
  const require = createRequire(import.meta.url)
  const versionOf = (directory, name) =>
    `${name} ${JSON.parse(readFileSync(require.resolve(`${directory}/${name}/package.json`), 'utf8')).version}`
  const ours = ['workerd', 'miniflare'].map((name) => versionOf('../../node_modules', name))
  const peers = ['oidc-provider', 'redis', '@openauthjs/openauth', '@cloudflare/workers-oauth-provider']
  const theirs = peers.map((name) => versionOf('../node_modules', name))
  return [
    ...ours,
    ...theirs,
    `Node ${process.versions.node}`,
    ...(REDIS_VERSION === null ? [] : [`redis-server ${REDIS_VERSION}`]),
    `SQLite ${process.versions.sqlite} in Node`,
  ].join(', ')
}

const method = ({ plan }) => `- ${cpus().length} virtual cores (${cpus()[0]?.model.trim()}), Linux; loopback only. ${versions()}.
- One process for each row's server, all started first; the target is the only one under load. ${plan.count} rounds, after ${plan.warmUps} runs of each, for V8 goes
  on compiling for some 10,000 requests; in a round every target once, in random order, ${plan.seconds} s (codes: ${CODES} of them, however long that takes,
  after ${CODES_BEFORE} that are not timed), the bare route of a Worker before, after and after every third. Figures are medians over the rounds
  (minimum-maximum). "CPU x bare route" is against the two bare runs beside it; "CPU x ours" compares those, with our row that gives as much (no ID token, one by ES256, one by RS256).
- Objects are kept awake: each is asked for something every 4 s, also while rows are timed; those requests are not counted, their CPU is. One that
  nobody asks for 10 s is put to sleep, its write-ahead log begins anew and the heap is collected. Measured apart, with 14 s of silence before
  each run, a code cost 0.547 ms in place of 0.45, and was level with oidc-provider on flushed SQLite with JWTs (0.98 of its CPU by ours).
- CPU is user and system time of the serving process from \`/proc\`, for each request answered: it decides. Throughput shares two cores with the client
  (${CONNECTIONS} closed loops on keep-alive connections, in Node). Every answer is looked at: a token that is missing, or not rotated, ends the bench.
- Ours is the production bundle, in production's mode, on a direct workerd socket. Node runs one process without a cluster, as workerd runs one thread.
- Codes are made outside the timed window. Ours: 64 signed-in people, through \`/oauth/authorize\` and the consent page. OpenAuth and
  workers-oauth-provider: through their own authorization endpoints, with a sign-in that agrees at once. oidc-provider: by its own models, a Grant and an
  AuthorizationCode, in place of its interaction pages. Every code has its own PKCE challenge (S256), is redeemed once, by a public client.
- Refresh: ${CONNECTIONS} chains, every refresh token used once and rotated, public client. client_credentials: \`client_secret_basic\`, one registered client (OpenAuth
  knows neither header nor registry: its form). Introspection: \`client_secret_basic\`, each loop asks about its own person's living access token.
  "Configured clients": the token of an app in \`CLIENTS_TOML\`, asked about by an API there that \`serves\` its audience; oidc-provider's clients are
  its configuration as well. "Registered clients": the token of a client that registered itself (RFC 7591) and asks. oidc-provider: the same client.
- "By hand": a form is read and one thing is done, without a check, an error or a header of its own (\`bench/workers/floors.js\`).
- "Flushed": a write is on disk when its answer is sent (\`fsync\`): a Durable Object's storage does so once for each transaction (seen with
  strace), SQLite with \`synchronous = FULL\` for each of oidc-provider's writes. "Flushed later" is the same database with \`synchronous = NORMAL\`: a power cut
  takes back what was already acknowledged. "In memory only" forgets everything at a restart; OpenAuth's MemoryStorage and a Map for oidc-provider
  (its own memory adapter forgets after 1,000 rows).
- ${REDIS_VERSION === null ? 'Redis: left out, for no `redis-server` was found (on the path, or where `REDIS_SERVER` says).' : "Redis is the bench's own, on loopback, with `appendonly yes` and `appendfsync always`: its CPU is added to that of Node."}
- KV is Miniflare's, in the same process, on the same disk: its CPU is counted, its network is not.`

const MISSING = `- **oidc-provider**: find and consume are two steps of its adapter, so two redemptions of one code, or two refreshes, at the same moment can both
  succeed. Reuse of a refresh token destroys the grant; there is no grace for a lost answer. Its opaque tokens are a row each and can be revoked; its
  JWTs (\`JWT\`) can be neither revoked nor introspected, and nothing is stored of a \`client_credentials\` JWT: that row is a signature
  alone, durable or not. Its introspection is what every verifier would have to ask; ours has \`fresh\`, which asks nobody. Accounts are a stub that
  answers at once; sessions are not looked at (\`expiresWithSession\` off). Ours reads the account, the session and the family for each of them.
- **OpenAuth**: no introspection, no revocation endpoint, no ID tokens, no registry of clients, no client authentication on codes and refreshes. An
  access token is a JWT of 30 days. KV reads, then writes: a code can be redeemed twice at the same moment, and for longer in another place (KV is eventually
  consistent, 60 s and more). A used refresh token stays good for its reuse window (here 120 s). Its \`client_credentials\` stores a refresh token.
- **workers-oauth-provider**: no \`client_credentials\`, no introspection, no ID tokens; tokens are opaque, each check a KV read. The same KV: codes and
  refresh tokens are used by read-then-write, the token before the newest stays good, and a revocation takes as long as KV does.
- **Sallyport**: a code is redeemed in one transaction that begins the family (2 rows), a replay of it ends the family. A refresh is one transaction and one
  row. Access tokens are ES256 JWTs of 5 minutes, revoked one by one, by session, grant, client or key, within the bound that \`bench/sdk-results.md\` measures.
  Introspection is \`live\`: one call to the person's object, and one to the client's own where the token's client is registered; nothing of what
  the token hangs on from memory.`

const READING = `## Where it is not ahead, and why

- Introspection: oidc-provider reads two rows of a database in its own process. Ours asks the person's object over Workers' RPC. "By hand: one
  object call" is that call alone, with one row read, and costs about as much as the peer's whole request: nothing is left for the checks. Where the
  token's client registered itself, its object is asked as well. It is the price of an answer that no replaced instance and no cache can make wrong,
  from an issuer that runs anywhere; an API that wants it cheap verifies \`fresh\`, in its own isolate (\`bench/results.md\`).
- RS256 ID tokens: the signature is what differs, and the last table is that signature alone. workerd's cryptography (BoringSSL) takes about twice as
  long as Node's (OpenSSL) for one with 2048 bits, by either of its interfaces; our key is imported from PKCS #8, which holds the primes and the
  exponents of each (RFC 8017, A.1.2). One RSA signature, and one row with one ES256 signature by hand, come to about the
  peer's whole answer. A client registered with \`id_token_signed_response_alg: ES256\` has the ES256 rows.
- A \`client_credentials\` JWT touches no storage in either server: a form, a secret, a signature. "By hand: one ES256 signature" is that much in a
  Worker. The rest of ours is the shell around it: headers, request id, CORS, routing, what is checked.
- Beside the same database without a flush oidc-provider costs less than a Durable Object's transaction by itself: most of its durable rows is \`fsync\`,
  once for each of its writes, where an object has one.
- Redis flushes once for all writes that wait at a moment, whomever they are for; each object flushes for itself, and 32 people at a time are 32 flushes.
  "By hand: one row, one ES256 signature" is the least that a durable refresh of an object takes on this machine, without a check, and it is behind the
  JWT rows too; an opaque token needs no signature. They are one Redis in one place that each answer crosses to; find and consume are two steps there
  as well.`

/** @param {{ plan: object, targets: object[], samples: import('../rounds.mjs').Sample[] }} results */
export function markdown(results) {
  const bare = of(results, 'bare route', 'cpuMs')
  return `# OAuth endpoints beside other servers

Written by \`npm run bench:oauth\`; the samples are in \`bench/dist/oauth-results.json\`. The bare route costs ${show(bare, 3)} ms of CPU.

${tables(results)}

## Against those that keep their state durably

${goals(results).join('\n')}

${READING}

## What each leaves out

${MISSING}

## Method

${method(results)}
`
}
