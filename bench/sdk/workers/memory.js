// A verifier and as many tokens as one asks for. The signature step answers at once and is counted: what is measured is what stays behind.
import { encodeFeed } from '../../../src/protocol/feed.ts'
import { createVerifier } from '../../../src/sdk/index.ts'

const ISSUER = 'https://auth.example.test'
const GOOD = 1
const KEPT = 1000

let signatures = 0
crypto.subtle.verify = async (_algorithm, _key, signature) => {
  signatures += 1
  return signature[0] === GOOD
}

const base64url = (bytes) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true })
const text = new TextEncoder()
const segment = (value) => base64url(text.encode(JSON.stringify(value)))
const randomId = () => base64url(crypto.getRandomValues(new Uint8Array(16)))

function newToken(kid, good) {
  const iat = Math.floor(Date.now() / 1000)
  const times = { exp: iat + 300, iat, auth_time: iat }
  const ids = { sub: randomId(), jti: randomId(), sid: randomId() }
  const rest = { iss: ISSUER, aud: ISSUER, client_id: 'first-party', scope: 'account', ver: 0, acr: '1', amr: ['pwd'], roles: [] }
  const signature = crypto.getRandomValues(new Uint8Array(64))
  signature[0] = good ? GOOD : 0
  return `${segment({ alg: 'ES256', typ: 'at+jwt', kid })}.${segment({ ...rest, ...ids, ...times })}.${base64url(signature)}`
}

/** A wrong signature, a key that does not exist, and no token at all, in turn. */
const newBadToken = (kid, at) =>
  [() => newToken(kid, false), () => newToken(randomId(), true), () => `${randomId()}.${randomId()}.x`][at % 3]()

const header = { snapshot: true, epoch: '0'.repeat(16), epochStart: 0, sequence: 0, key: new Uint8Array(16) }
let verifier
let kept

async function accepted(list) {
  let count = 0
  for (const token of list) {
    try {
      await verifier.verifyToken(token)
      count += 1
    } catch {
      // Counted by its absence.
    }
  }
  return count
}

export default {
  async fetch(request, { JWKS }) {
    verifier ??= createVerifier({
      issuer: ISSUER,
      audience: ISSUER,
      jwks: JWKS,
      binding: {
        jwks: async () => JWKS,
        revocations: async () => encodeFeed({ ...header, asOf: Date.now() }, []),
        check: async () => ({ active: true }),
      },
    })
    const url = new URL(request.url)
    const count = Number(url.searchParams.get('count'))
    const [{ kid }] = JWKS.keys
    const before = signatures
    if (url.pathname === '/keep') kept = Array.from({ length: KEPT }, () => newToken(kid, true))
    let tokens = kept
    if (url.pathname === '/good') tokens = Array.from({ length: count }, () => newToken(kid, true))
    if (url.pathname === '/bad') tokens = Array.from({ length: count }, (_, at) => newBadToken(kid, at))
    const answer = await accepted(tokens)
    return Response.json({ accepted: answer, of: tokens.length, signatures: signatures - before })
  },
}
