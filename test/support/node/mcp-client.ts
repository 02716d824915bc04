/** A client of the Model Context Protocol: the SDK's own, whose browser is a person of the tests. */
import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import type { Client } from './http.ts'
import { authorize, interactionIn, locationOf } from './oauth.ts'
import { PASSWORD, requireStatus } from './person.ts'

export const MCP_CALLBACK = 'http://127.0.0.1:33418/callback'

/** What the SDK remembers through its provider, and where it last sent the browser. */
export type Remembered = { information?: OAuthClientInformationMixed; tokens?: OAuthTokens; verifier?: string; sentTo?: URL }

/** `clientMetadataUrl`: an https URL that the SDK makes its client_id of; without one, or anything in `remembered`, it registers. */
export function mcpProvider(remembered: Remembered, clientMetadataUrl?: string): OAuthClientProvider {
  return {
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
    redirectUrl: MCP_CALLBACK,
    clientMetadata: { client_name: 'A writing desk', redirect_uris: [MCP_CALLBACK], token_endpoint_auth_method: 'none' },
    clientInformation: () => remembered.information,
    saveClientInformation: (information) => {
      remembered.information = information
    },
    tokens: () => remembered.tokens,
    saveTokens: (tokens) => {
      remembered.tokens = tokens
    },
    redirectToAuthorization: (url) => {
      remembered.sentTo = url
    },
    saveCodeVerifier: (verifier) => {
      remembered.verifier = verifier
    },
    codeVerifier: () => remembered.verifier ?? '',
    invalidateCredentials: (what) => {
      if (what === 'all' || what === 'client') delete remembered.information
      if (what === 'all' || what === 'tokens') delete remembered.tokens
    },
  }
}

/** What the browser of a person who allows it brings back from where the SDK has sent it; `email`: nobody is signed in there yet. */
export async function codeFromBrowser(person: Client, { sentTo }: Remembered, email?: string): Promise<string> {
  const query = sentTo?.search.slice(1) ?? ''
  const asked = email === undefined ? query : await signInOnTheWay(person, query, email)
  const code = (await authorize(person, asked)).searchParams.get('code')
  if (code === null) throw new Error(`no code for ${sentTo}`)
  return code
}

/** By the sign-in page that the request leads to; answers the query with which its form leads back. */
async function signInOnTheWay(person: Client, query: string, email: string): Promise<string> {
  const away = requireStatus(await person.get(`/oauth/authorize?${query}`), 303)
  const interaction = interactionIn(await person.get(away.headers.location ?? ''))
  const form = new URLSearchParams({ interaction, email, password: PASSWORD })
  const back = locationOf(requireStatus(await person.post('/sign-in', form, { origin: person.origin }), 303))
  if (back.pathname !== '/oauth/authorize') throw new Error(`sent on to ${back}`)
  return back.search.slice(1)
}

/** Connects as MCP clients do: asks, is refused, sends the person to the browser (see codeFromBrowser), comes back with the code and asks again. */
export async function connected(server: string, remembered: Remembered, person: Client, email?: string) {
  const options = { authProvider: mcpProvider(remembered) }
  const first = new StreamableHTTPClientTransport(new URL(server), options)
  const client = new McpClient({ name: 'writing-desk', version: '1.0.0' })
  const refusal = await client.connect(first).then(
    () => null,
    (error: unknown) => error,
  )
  if (!(refusal instanceof UnauthorizedError)) throw new Error(`not refused but ${refusal}`)
  await first.finishAuth(await codeFromBrowser(person, remembered, email))
  await client.connect(new StreamableHTTPClientTransport(new URL(server), options))
  return {
    /** The text of a tool's answer; throws what the client throws. */
    async call(name: string, given: Record<string, unknown> = {}): Promise<string> {
      const { content } = await client.callTool({ name, arguments: given })
      return (content as { text: string }[])[0]?.text ?? ''
    },
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    close: () => client.close(),
  }
}
