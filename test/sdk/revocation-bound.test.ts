import { expect, test } from 'vitest'
import type { Denial, DenialKind } from '../../src/protocol/denial.ts'
import { withAccounts } from '../../src/sdk/accounts.ts'
import type { LiveAnswer, VerifierBinding, VerifierOptions } from '../../src/sdk/index.ts'
import { diceOf } from './hostile-tokens.ts'
import { claimsAt, codeOf, fail, Issuer, makeKey, type SigningKey, signToken } from './issuer.ts'

const signingKeys = await Promise.all(['k1', 'k2', 'k3'].map((kid) => makeKey(kid)))
const kinds = ['jti', 'sid', 'grant_id', 'kid', 'sub', 'client_id'] as const
const REVOKED: LiveAnswer = { active: false, error: 'revoked' }

type Made = { token: string; ids: Partial<Record<DenialKind, string>> }

/** An issuer whose parts come and go, and which knows what it has denied, and when. */
class ShakyIssuer extends Issuer {
  readonly denied = new Map<string, number>()
  feedIsUp = true
  ownersAreUp = true

  constructor([first, ...others]: readonly SigningKey[]) {
    if (first === undefined) throw new Error('no key')
    super(first)
    this.keys = [first, ...others].map((key) => key.jwk)
    this.onFeed = () => (this.feedIsUp ? Promise.resolve() : fail())
  }

  /** When each of the denials came that concern a token. */
  denialsOf(ids: Made['ids']): { kind: string; atMs: number }[] {
    return Object.entries(ids).flatMap(([kind, id]) => {
      const atMs = this.denied.get(`${kind}:${id}`)
      return atMs === undefined ? [] : [{ kind, atMs }]
    })
  }

  end(kind: DenialKind, id: string): void {
    if (!this.denied.has(`${kind}:${id}`)) this.denied.set(`${kind}:${id}`, this.nowMs)
    const end = this.now + 8000
    const denial: Denial =
      kind === 'sub' ? { kind, id, ver: 4, end } : kind === 'client_id' ? { kind, id, not_after_iat: 0xffff_ffff, end } : { kind, id, end }
    this.deny(denial)
  }

  override async check(_token: string, claims: object, doubtedKid?: string): Promise<LiveAnswer> {
    if (!this.ownersAreUp) return fail()
    const ids = Object.fromEntries(Object.entries({ ...claims, kid: doubtedKid }).map(([name, value]) => [name, String(value)]))
    return this.denialsOf(ids).length > 0 ? REVOKED : { active: true }
  }
}

const accountsOf = (issuer: ShakyIssuer) => ({
  getByName: (sub: string) => ({
    async check(sid: string): Promise<'active' | 'revoked'> {
      if (!issuer.ownersAreUp) return fail()
      return issuer.denialsOf({ sub, sid }).length > 0 ? 'revoked' : 'active'
    },
  }),
})

/** By introspection, which speaks for the key unasked. */
const introspectionOf = (issuer: ShakyIssuer) => (): VerifierBinding['check'] => async (token, claims) => {
  const kid: unknown = JSON.parse(atob(token.slice(0, token.indexOf('.')))).kid
  return issuer.check(token, claims, String(kid))
}

const ways: Readonly<Record<string, (issuer: ShakyIssuer) => Partial<VerifierOptions>>> = {
  'a binding': () => ({}),
  accounts: (issuer) => ({ binding: withAccounts(issuer, accountsOf(issuer)) }),
  introspection: (issuer) => ({ introspection: introspectionOf(issuer) }),
  'given keys': () => ({ jwks: { keys: signingKeys.map((key) => key.jwk) } }),
}

test.each(Object.entries(ways))(
  'by %s, whatever fails: no revoked token past the bound, no good one called revoked',
  async (way, optionsOf) => {
    const dice = diceOf(20261121 + way.length)
    const seen = new Set<string>()
    for (let run = 0; run < 12; run++) {
      const issuer = new ShakyIssuer(signingKeys)
      const [staleAfter, freshFor] = [dice.pick([2000, 5000, 20_000]), dice.pick([0, 1000, 2000])]
      const verifier = issuer.verifier({ ...optionsOf(issuer), staleAfter, freshFor, memory: dice.pick([0, 1, 10_000]) })
      const made: Made[] = []
      for (let i = 0; i < 8; i++) made.push(await make(issuer))
      for (let step = 0; step < 120; step++) {
        issuer.advance(dice.pick([0, 1, 50, 300, 900, 1100, 2500, 4900]))
        const { token, ids } = dice.pick(made)
        const what = dice.int(100)
        if (what < 8) issuer.feedIsUp = !issuer.feedIsUp
        else if (what < 12) issuer.ownersAreUp = !issuer.ownersAreUp
        else if (what < 14) {
          const kind = dice.pick(kinds)
          const id = ids[kind]
          if (id !== undefined && id !== 'first-party' && (kind !== 'jti' || ids.grant_id !== undefined)) issuer.end(kind, id)
        } else {
          const freshness = dice.pick(['fresh', 'fresh', 'live'] as const)
          const denials = issuer.denialsOf(ids).map(({ kind, atMs }) => ({ kind, age: issuer.nowMs - atMs }))
          const code = await codeOf(verifier.verifyToken(token, { freshness }))
          seen.add(code)
          // The owner knows all but the key at once; that is as current as a fresh view.
          const late = denials.filter(({ kind, age }) => age > (freshness === 'fresh' ? staleAfter : kind === 'kid' ? freshFor : 0))
          if (code === 'accepted') expect(late).toEqual([])
          if (code === 'token_revoked' || code === 'token_outdated') expect(denials).not.toEqual([])
          // The refresh in the background comes in.
          if (dice.int(10) < 7) await new Promise((resolve) => setTimeout(resolve, 0))
        }
      }
    }
    expect([...seen]).toEqual(expect.arrayContaining(['accepted', 'token_revoked', 'verifier_unavailable']))

    async function make(issuer: ShakyIssuer): Promise<Made> {
      const key = dice.pick(signingKeys)
      const client = dice.pick([{ client_id: 'first-party' }, { client_id: 'app', grant_id: `g${dice.int(3)}` }])
      const ids = { jti: `j${dice.int(6)}`, sid: `s${dice.int(4)}`, sub: `a${dice.int(3)}`, ...client }
      const token = await signToken(key, { alg: 'ES256', kid: key.kid, typ: 'at+jwt' }, claimsAt(issuer.now, ids))
      return { token, ids: { ...ids, kid: key.kid } }
    }
  },
)
