import type { GrantType } from '../../clients/client.ts'
import { algorithmsOf } from '../../keys/key.ts'
import { authorizationCode } from '../../oauth/grants/authorization-code.ts'
import { clientCredentials } from '../../oauth/grants/client-credentials.ts'
import { deviceCode } from '../../oauth/grants/device-code.ts'
import type { Grant, Granted, GrantNeeds, TokenRequest } from '../../oauth/grants/grant.ts'
import { refreshToken } from '../../oauth/grants/refresh-token.ts'
import { tokenExchange } from '../../oauth/grants/token-exchange.ts'
import { TokenError } from '../../sdk/index.ts'
import { ID_TOKEN_TYP, idTokenClaims } from '../../tokens/id-token.ts'
import { sealRefreshToken } from '../../tokens/refresh-token.ts'
import { prepareSigning } from '../answer.ts'
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import { networkDigest } from '../network.ts'
import { operation } from '../operation.ts'
import { authenticateClient } from './authenticate-client.ts'
import { checkRequestProof, consumeProof } from './dpop.ts'
import { noteClientUse } from './find-client.ts'
import { type Parameters, readForm } from './form.ts'
import { OAuthError } from './oauth-error.ts'
import { apiScopes, offerOf } from './offer.ts'

const GRANTS: ReadonlyMap<string, Grant> = new Map<GrantType, Grant>([
  ['authorization_code', authorizationCode],
  ['refresh_token', refreshToken],
  ['client_credentials', clientCredentials],
  ['urn:ietf:params:oauth:grant-type:device_code', deviceCode],
  ['urn:ietf:params:oauth:grant-type:token-exchange', tokenExchange],
])

/** Those that may give an ID token. */
const IDENTIFYING = new Set(['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'])

export const GRANT_TYPES_SUPPORTED = [...GRANTS.keys()]

function grantOf(parameters: Parameters): { name: string; grant: Grant } {
  const name = parameters.get('grant_type')
  if (name === undefined) throw new OAuthError('invalid_request', 'grant_type is missing.')
  const grant = GRANTS.get(name)
  if (!grant) throw new OAuthError('unsupported_grant_type', `grant_type must be one of: ${GRANT_TYPES_SUPPORTED.join(', ')}.`)
  return { name, grant }
}

function needsOf(c: AppContext): GrantNeeds {
  const { ring, config } = c.get('services')
  const { account, authorizationRequest } = c.get('objects')
  return {
    ring,
    issuer: config.issuer,
    audiences: config.audiences,
    scopes: apiScopes(config),
    offered: offerOf(config).scopes,
    network: () => networkDigest(ring, c.req.header('CF-Connecting-IP')),
    redeemCode: (sub, presented) => account(sub, 'redeemCode', (stub) => stub.redeemCode(presented)),
    pollDevice: (userCode, by) => authorizationRequest(`device:${userCode}`, 'pollDevice', (stub) => stub.pollDevice(by)),
    verifyAccessToken: async (value) => {
      try {
        return (
          await c.get('services').checker.verifyToken(value, { boundTo: 'unproven', waitUntil: (work) => c.executionCtx.waitUntil(work) })
        ).claims
      } catch (error) {
        if (error instanceof TokenError && error.code !== 'verifier_unavailable') return null
        throw error
      }
    },
    rotateRefreshToken: (sub, presented) => account(sub, 'rotateRefreshToken', (stub) => stub.rotateRefreshToken(presented)),
  }
}

/** Prepared before anything is consumed: a code whose tokens cannot be signed would be lost by our own doing. */
async function prepareAnswer(c: AppContext, { client }: TokenRequest, hasPerson: boolean) {
  const { ring, config } = c.get('services')
  const wanted = client.id_token_signed_response_alg
  // Registered for an algorithm that this deployment has since left.
  const alg = algorithmsOf(config.signingAlg).includes(wanted) ? wanted : 'RS256'
  const [sign, signIdToken] = await Promise.all([prepareSigning(c), hasPerson ? prepareSigning(c, { alg, typ: ID_TOKEN_TYP }) : null])
  return async ({ token, refresh, identity, issued_token_type }: Granted) => {
    const access_token = await sign({ iss: config.issuer, ...token })
    const answer = {
      access_token,
      token_type: token.cnf ? 'DPoP' : 'Bearer',
      expires_in: token.exp - token.iat,
      scope: token.scope,
    }
    const fields = refresh && { sub: token.sub, grant_id: refresh.grant_id, generation: refresh.generation, secret: refresh.secret }
    const sealed =
      fields && ((await sealRefreshToken(ring, fields, refresh.secret_id)) ?? (await sealRefreshToken(ring, fields, ring.newest.id)))
    const facts = identity && {
      issuer: config.issuer,
      client_id: client.client_id,
      sub: token.sub,
      ...identity,
      access_token,
      alg,
      now: token.iat,
    }
    const id_token = facts && signIdToken && (await signIdToken(await idTokenClaims(facts)))
    return {
      ...answer,
      ...(issued_token_type ? { issued_token_type } : {}),
      ...(sealed ? { refresh_token: sealed } : {}),
      ...(id_token ? { id_token } : {}),
    }
  }
}

export const token = operation({
  summary: 'The token endpoint (RFC 6749, 3.2): a grant for tokens.',
  access: 'client',
  answers: { 200: { description: '{"access_token", "token_type", "expires_in", "scope", "refresh_token"?, "id_token"?}' } },
  problems: [],
  async handle(c) {
    const parameters = await readForm(c)
    const { name, grant } = grantOf(parameters)
    // Before the client's own proof is used up, for it is asked again with a nonce; remembered only once it has shown who it is.
    const proof = await checkRequestProof(c, { requireNonce: true })
    const client = await authenticateClient(c, parameters)
    if (!client.grant_types.some((type) => type === name)) {
      throw new OAuthError('unauthorized_client', 'The client is not registered for this grant_type.')
    }
    if (parameters.get('resource')?.includes(' ')) throw new OAuthError('invalid_target', 'An access token is for one resource.')
    if (proof !== null) await consumeProof(c, proof)
    if (proof === null && client.dpop_bound_access_tokens)
      throw new OAuthError('invalid_dpop_proof', 'This client binds its tokens: DPoP is missing.')
    const request: TokenRequest = { client, parameters, jkt: proof?.jkt ?? null, now: Math.floor(Date.now() / 1000) }
    const answer = await prepareAnswer(c, request, IDENTIFYING.has(name))
    const granted = await grant(request, needsOf(c))
    if (!granted.ok) {
      if (granted.reason === 'reuse' || granted.reason === 'replayed')
        log(c, 'warn', 'replay', { client_id: client.client_id, grant: name })
      throw new OAuthError(granted.error, granted.description, { reason: granted.reason })
    }
    noteClientUse(c, client)
    const response = c.json(await answer(granted), 200)
    // `no-store` is said of every response; two headers given to `json` would cost a copy of them all.
    response.headers.set('Pragma', 'no-cache')
    return response
  },
})
