// The product with two doors that only the bench has: what the service binding was asked for, and the list's own `add`.
import worker, * as product from '../../../src/worker.ts'

export { Account, Identifier, KeySet, Mailbox, RevocationList } from '../../../src/worker.ts'

const calls = { jwks: 0, revocations: 0, check: 0 }

export class Verifier extends product.Verifier {
  jwks() {
    calls.jwks += 1
    return super.jwks()
  }
  revocations(after) {
    calls.revocations += 1
    return super.revocations(after)
  }
  check(token) {
    calls.check += 1
    return super.check(token)
  }
}

const randomId = () => crypto.getRandomValues(new Uint8Array(16)).toBase64({ alphabet: 'base64url', omitPadding: true })

/** Denials of nobody: one in four of a version, the others of a session. */
function strangers(count, end) {
  return Array.from({ length: count }, (_, at) =>
    at % 4 === 0 ? { kind: 'sub', id: randomId(), ver: 1, end } : { kind: 'sid', id: randomId(), end },
  )
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    if (pathname === '/bench/calls') return Response.json(calls)
    if (pathname !== '/bench/deny') return worker.fetch(request, env, ctx)
    const { denials, count, end } = await request.json()
    const cursor = await env.REVOCATION_LIST.getByName('list').add(denials ?? strangers(count, end))
    return Response.json({ cursor })
  },
}
