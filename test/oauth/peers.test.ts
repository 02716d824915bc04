import * as oauth from 'oauth4webapi'
import { expect, test } from 'vitest'
import type { Client, KnownClient } from '../../src/clients/client.ts'
import { verifyClientAssertion } from '../../src/http/oauth/client-assertion.ts'
import { checkRequestProof, consumeProof } from '../../src/http/oauth/dpop.ts'
import { readForm } from '../../src/http/oauth/form.ts'
import { knownClient } from './clients.ts'
import { handling, ISSUER } from './requests.ts'

const server: oauth.AuthorizationServer = { issuer: ISSUER, token_endpoint: `${ISSUER}/oauth/token` }

/** A token endpoint that knows one client, and answers to whom and to which key it would give a token. */
function tokenEndpoint(known: KnownClient) {
  const statuses: number[] = []
  const answer = handling(async (c) => {
    const form = await readForm(c)
    const presented = { client_assertion_type: form.get('client_assertion_type'), client_assertion: form.get('client_assertion') }
    const proof = await checkRequestProof(c, { requireNonce: true })
    const outcome = await verifyClientAssertion(c, known, presented, () => Promise.reject(new Error('none')))
    if (outcome.ok && proof !== null) await consumeProof(c, proof)
    return outcome.ok ? c.json({ access_token: proof?.jkt, token_type: 'DPoP', expires_in: 300 }) : c.json(outcome, 401)
  })
  const send = async (url: string, init: RequestInit) => {
    const response = await answer(new Request(url, init))
    statuses.push(response.status)
    return response
  }
  return { statuses, send }
}

test.each(['ES256', 'Ed25519', 'PS256', 'RS256'])(
  'oauth4webapi proves a client by %s and a key by DPoP, and finds the nonce by itself',
  async (alg) => {
    const pair = await oauth.generateKeyPair(alg, { extractable: true })
    const bound = await oauth.generateKeyPair(alg === 'RS256' ? 'ES256' : alg, { extractable: true })
    const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey)
    // As a registration carries it.
    const jwks: Client['jwks'] = JSON.parse(JSON.stringify({ keys: [{ ...jwk, kid: 'k1' }] }))
    const client_id = crypto.randomUUID()
    const { statuses, send } = tokenEndpoint(knownClient({ client_id, token_endpoint_auth_signing_alg: alg, jwks }))
    const options = { [oauth.customFetch]: send, [oauth.allowInsecureRequests]: true, DPoP: oauth.DPoP({}, bound) }
    let jti: unknown
    // The same assertion both times: a request that is repeated for its nonce has not used it up.
    const same = (_: unknown, claims: Record<string, unknown>) => {
      jti ??= claims.jti
      claims.jti = jti
    }
    const auth = () => oauth.PrivateKeyJwt({ key: pair.privateKey, kid: 'k1' }, { [oauth.modifyAssertion]: same })
    const ask = async () =>
      oauth.processClientCredentialsResponse(
        server,
        { client_id },
        await oauth.clientCredentialsGrantRequest(server, { client_id }, auth(), new URLSearchParams(), options),
      )
    await expect(ask()).rejects.toSatisfy(oauth.isDPoPNonceError)
    const { access_token } = await ask()
    expect(access_token).toBe(await options.DPoP.calculateThumbprint())
    await expect(ask()).rejects.toThrow()
    expect(statuses).toEqual([400, 200, 401])
  },
)
