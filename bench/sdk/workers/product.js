// The product with three doors that only the bench has: what the service binding was asked for, the list's own `add`, and many of those.
import worker, * as product from '../../../src/worker.ts'

export { Account, Identifier, KeySet, Mailbox } from '../../../src/worker.ts'

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

export class RevocationList extends product.RevocationList {
  /** A call of `add` for each, and the rows that they write; without what the way to the object costs. */
  addSingly(denials) {
    const counting = Object.getPrototypeOf(this.ctx.storage.sql)
    const { exec } = counting
    const cursors = []
    let rowsWritten = 0
    counting.exec = function (...statement) {
      const cursor = exec.apply(this, statement)
      cursors.push(cursor)
      return cursor
    }
    try {
      for (const denial of denials) {
        this.add([denial])
        for (const cursor of cursors) rowsWritten += cursor.rowsWritten
        cursors.length = 0
      }
    } finally {
      counting.exec = exec
    }
    return { rowsWritten }
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    if (pathname === '/bench/calls') return Response.json(calls)
    if (!pathname.startsWith('/bench/deny')) return worker.fetch(request, env, ctx)
    const { count, end } = await request.json()
    const list = env.REVOCATION_LIST.getByName('list')
    if (pathname === '/bench/deny-singly') return Response.json(await list.addSingly(strangers(count, end)))
    const cursor = await list.add(strangers(count, end))
    return Response.json({ cursor })
  },
}
