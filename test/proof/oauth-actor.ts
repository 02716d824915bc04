/** A person with clients of their own, for the proofs that run several actors at once. */
import type { World } from './ledger.ts'
import { checkEnded, checkHolder, type Holder } from './oauth-ledger.ts'
import * as oauth from './oauth-operations.ts'
import type { Operation } from './operation.ts'
import type { Random } from './random.ts'

/** Codes live 60 s; those that are older than this are left alone, however slow the machine is. */
const CODE_MS = 20_000
const MAX_GRANTS = 5

async function choose(world: World, holder: Holder, random: Random): Promise<Operation> {
  holder.codes = holder.codes.filter(({ issuedMs }) => Date.now() - issuedMs < CODE_MS)
  const [app] = holder.apps
  if (!app || (holder.apps.length < 3 && random.oneIn(8))) return oauth.registerApp(world, holder, `App ${random.int(1, 1_000_000)}`)
  if (holder.codes.length > 0 && !random.oneIn(3)) return oauth.redeemCode(world, holder, random.pick(holder.codes))
  const unasked = holder.apps.find(({ consented }) => !consented)
  if (unasked) return (await oauth.consent(world, holder, unasked)) ?? oauth.authorizeAgain(world, holder, unasked)
  if (holder.grants.length === 0) return oauth.authorizeAgain(world, holder, random.pick(holder.apps))
  return chooseOn(world, holder, random)
}

function chooseOn(world: World, holder: Holder, random: Random): Operation {
  const [app, grant] = [random.pick(holder.apps), random.pick(holder.grants)]
  switch (random.int(1, 16)) {
    case 1:
      return oauth.removeApp(world, holder, app)
    case 2:
    case 3:
      return oauth.renameApp(world, app, `App ${random.int(1, 1_000_000)}`)
    case 4:
      return oauth.rotateSecret(world, app)
    case 5:
    case 6:
      return oauth.revokeGrant(world, holder, grant)
    case 7:
      if (grant.access_token === null) break
      return oauth.revokeAccess(world, holder, grant, grant.access_token)
    case 8:
    case 9:
    case 10:
    case 11:
      if (holder.grants.length >= MAX_GRANTS) return oauth.revokeGrant(world, holder, grant)
      return oauth.authorizeAgain(world, holder, app)
  }
  return oauth.refreshGrant(world, grant)
}

export function oauthActor(world: World, holder: Holder, random: Random) {
  return {
    choose: () => choose(world, holder, random),
    // What lives is looked at now and then, and at the end: it does not die of itself.
    check: (sinceMs: number) => (random.oneIn(3) ? checkHolder : checkEnded)(world, holder, sinceMs),
    checkAll: () => checkHolder(world, holder, 0),
  }
}
