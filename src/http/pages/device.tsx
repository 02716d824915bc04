import type { Client } from '../../clients/client.ts'
import { identityOf } from '../../ui/client-identity.ts'
import { DeviceConfirmPage } from '../../ui/device-confirm-page.tsx'
import { DeviceDonePage } from '../../ui/device-done-page.tsx'
import { DevicePage } from '../../ui/device-page.tsx'
import type { AppContext } from '../context.ts'
import { page } from './page.tsx'

/** Asks for the code; `error` when one was given that is not, or no longer, awaited. */
export function devicePage(c: AppContext, { userCode, error }: { userCode?: string; error?: string } = {}) {
  return page(c, { status: error === undefined ? 200 : 400 }, (nonce) => <DevicePage userCode={userCode} error={error} nonce={nonce} />)
}

/** Asks for consent; the form posts `user_code`, `decision=allow|deny` and `fields` to `/device`, which requires our own origin. */
export function deviceConfirmPage(
  c: AppContext,
  asked: {
    client: Client
    email: string
    userCode: string
    scopes: readonly string[]
    audiences: readonly string[]
    fields?: Readonly<Record<string, string>>
  },
) {
  const { client, ...rest } = asked
  return page(c, {}, (nonce) => <DeviceConfirmPage client={identityOf(client, '')} {...rest} nonce={nonce} />)
}

export const deviceDonePage = (c: AppContext, allowed: boolean) =>
  page(c, {}, (nonce) => <DeviceDonePage allowed={allowed} nonce={nonce} />)
