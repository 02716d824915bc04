/** What someone with a session holds of OAuth, and where each piece of it counts. */
import { createClient } from '../support/node/http.ts'
import { authorizationQuery, codeFor, interactionIn, pkce, postAs, redeem, register } from '../support/node/oauth.ts'
import type { Server } from '../support/node/server.ts'
import { ASSERTION_TYPE, makeAssertion, makeKey, makeProof, tokenProof } from './client-proofs.ts'
import { DEVICE_GRANT, startDevice } from './device-flow.ts'
import type { OAuthKnowledge } from './hostile-form.ts'
import type { HostileRequest } from './hostile-request.ts'
import { bearer, connect, requireStatus } from './person.ts'

export const URN = 'urn:ietf:params:oauth:request_uri:'

export type OAuthHolding = OAuthKnowledge & { code_verifier: string; bound_token: string; asserting: string; cookie: string }

/** `session`: the value of a session cookie. */
export async function holdOAuth(server: Server, session: string): Promise<OAuthHolding> {
  const http = connect(server.origin)
  const person = createClient(server.origin, new Map([['__Host-session', session]]))
  const key = await makeKey()
  const grant_types = ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_GRANT]
  const client = await register(http, { grant_types, token_endpoint_auth_method: 'client_secret_post' })
  const { client_id: asserting } = await register(http, {
    grant_types,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
  })
  const code = () => codeFor(person, client, { scope: 'openid offline_access' })
  const given = requireStatus(await redeem(http, client, await code()), 200).json
  const bound = await postAs(
    http,
    '/oauth/token',
    client,
    { grant_type: 'authorization_code', ...(await code()) },
    await tokenProof(http, key),
  )
  const bound_token = requireStatus(bound, 200).json.access_token
  const query = authorizationQuery(client, pkce().code_challenge, { prompt: 'consent' })
  const pushed = await postAs<{ request_uri: string }>(http, '/oauth/par', client, Object.fromEntries(new URLSearchParams(query)))
  const device = await startDevice(http, client, 'openid')
  const open = await code()
  const holding = {
    ...{
      client_id: client.client_id,
      client_secret: client.client_secret ?? '',
      registration_access_token: client.registration_access_token,
    },
    ...{ access_token: given.access_token, refresh_token: given.refresh_token ?? '', id_token: given.id_token ?? '' },
    ...{ code: open.code, code_verifier: open.code_verifier, device_code: device.device_code, user_code: device.user_code },
    request_uri: pushed.json.request_uri,
    interaction: interactionIn(await person.get(`/oauth/authorize?${query}`)),
    client_assertion: await makeAssertion(key, asserting, server.origin),
    dpop: await makeProof(key, { method: 'GET', url: `${server.origin}/oauth/userinfo`, accessToken: bound_token }),
    ...{ bound_token, asserting, cookie: `__Host-session=${session}` },
  }
  for (const each of [http, person]) each.close()
  return holding
}

const form = (path: string, fields: Record<string, string>): HostileRequest => ({
  ...{ method: 'POST', path, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  body: Buffer.from(new URLSearchParams(fields).toString()),
})

const visit = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}): HostileRequest => ({
  ...{ method: 'GET', path: `${path}?${new URLSearchParams(fields)}`, headers },
})

export type OAuthKind = 'code' | 'refresh' | 'access' | 'device_code' | 'request_uri' | 'interaction' | 'id_token' | 'assertion' | 'dpop'

/** The credential, and the requests in which it counts. */
export function oauthPlaces(
  held: OAuthHolding,
): Record<OAuthKind, { real: string; places: readonly ((value: string) => HostileRequest)[] }> {
  const { client_id, client_secret, cookie } = held
  const client = { client_id, client_secret }
  const token = (grant_type: string, fields: Record<string, string>) => form('/oauth/token', { ...client, grant_type, ...fields })
  const introspected = (value: string) => form('/oauth/introspect', { ...client, token: value })
  const redirect_uri = 'https://app.example.com/callback'
  return {
    code: {
      real: held.code,
      places: [(code) => token('authorization_code', { code, code_verifier: held.code_verifier, redirect_uri })],
    },
    refresh: { real: held.refresh_token, places: [(refresh_token) => token('refresh_token', { refresh_token }), introspected] },
    access: {
      real: held.access_token,
      places: [
        introspected,
        (value) => ({ method: 'GET', path: '/oauth/userinfo', headers: bearer(value) }),
        (access_token) => form('/oauth/userinfo', { access_token }),
      ],
    },
    device_code: { real: held.device_code, places: [(device_code) => token(DEVICE_GRANT, { device_code })] },
    request_uri: {
      real: held.request_uri.slice(URN.length),
      places: [(value) => visit('/oauth/authorize', { client_id, request_uri: `${URN}${value}` })],
    },
    interaction: {
      real: held.interaction,
      places: [
        (interaction) => visit('/oauth/authorize', { interaction }, { cookie }),
        (interaction) => {
          const { headers, ...rest } = form('/consent', { interaction, decision: 'allow' })
          return { ...rest, headers: { ...headers, cookie, 'sec-fetch-site': 'same-origin' } }
        },
      ],
    },
    id_token: {
      real: held.id_token,
      places: [
        (id_token_hint) => visit('/oauth/logout', { id_token_hint }),
        (id_token_hint) =>
          visit(
            '/oauth/authorize',
            Object.fromEntries(
              new URLSearchParams(
                authorizationQuery({ client_id } as Parameters<typeof authorizationQuery>[0], pkce().code_challenge, { id_token_hint }),
              ),
            ),
            { cookie },
          ),
      ],
    },
    assertion: {
      real: held.client_assertion,
      places: ['/oauth/token', '/oauth/introspect', '/oauth/revoke', '/oauth/device_authorization'].map(
        (path) => (client_assertion: string) =>
          form(path, {
            ...{ client_id: held.asserting, client_assertion_type: ASSERTION_TYPE, client_assertion },
            ...{ grant_type: 'client_credentials', token: 'x' },
          }),
      ),
    },
    dpop: {
      real: held.dpop,
      places: [(dpop) => ({ method: 'GET', path: '/oauth/userinfo', headers: { authorization: `DPoP ${held.bound_token}`, dpop } })],
    },
  }
}

/** Whether an answer lets in: a success that says so, or a way on that is no error. `text`: raw headers, a line each, and the body. */
export function letsIn(status: number, text: string): boolean {
  if (status >= 400) return false
  const location = /^location\n(.*)$/im.exec(text)?.[1]
  if (location !== undefined) return !/[?&]error=/.test(location)
  return !text.endsWith('{"active":false}')
}
