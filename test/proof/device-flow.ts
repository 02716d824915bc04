/** The device flow (RFC 8628) from both sides: the device that asks, and the person who decides in a browser. */
import type { Client, Reply } from '../support/node/http.ts'
import { postAs, type Registered } from '../support/node/oauth.ts'
import { requireStatus } from './person.ts'

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

export type Device = { device_code: string; user_code: string; interval: number; expires_in: number }

export async function startDevice(http: Client, client: Registered, scope: string): Promise<Device> {
  return requireStatus(await postAs<Device>(http, '/oauth/device_authorization', client, { scope }), 200).json
}

const answer = (person: Client, fields: Record<string, string>) =>
  person.post('/device', new URLSearchParams(fields), { origin: person.origin })

/** Types the code, sees whose it is, and decides; answers the page that says so. */
export async function decideDevice(person: Client, { user_code }: Device, decision: 'allow' | 'deny'): Promise<Reply> {
  requireStatus(await answer(person, { user_code }), 200)
  return requireStatus(await answer(person, { user_code, decision }), 200)
}

export const pollAs = (http: Client, client: Registered, device_code: string) =>
  postAs(http, '/oauth/token', client, { grant_type: DEVICE_GRANT, device_code })
