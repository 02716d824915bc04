/** OpenID Connect RP-Initiated Logout 1.0: a client sends its person here to sign out of everything that hangs on this session. */
import type { Client } from '../../clients/client.ts'
import type { IdTokenHint } from '../../oauth/id-token-hint.ts'
import { openSessionCookie } from '../../tokens/session-cookie.ts'
import { requireDenied } from '../answer.ts'
import type { AppContext } from '../context.ts'
import { clearSessionCookie, readCookie, SESSION_COOKIE } from '../cookies.ts'
import { log } from '../log.ts'
import { operation } from '../operation.ts'
import { originOf } from '../origin.ts'
import { leavePage } from '../pages/leave.tsx'
import { logoutConfirmPage } from '../pages/logout-confirm.tsx'
import { ownSession } from '../pages/own-session.ts'
import { signedOutPage } from '../pages/sign-out.tsx'
import { findClient } from './find-client.ts'
import { type Parameters, readPageSearch, readParameters } from './form.ts'
import { readHint } from './id-token-hint.ts'
import { refusalPage } from './refusal-page.ts'

type Logout = { hint: IdTokenHint | null; client: Client | null; target: string | null; parameters: Parameters }

const FIELDS = ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'logout_hint', 'ui_locales']

/** Reads what was asked; a string is why it cannot be done, in words for a person. Nobody is ever sent to an address in doubt. */
async function readLogout(c: AppContext, search: URLSearchParams): Promise<Logout | string> {
  const { parameters, repeated } = readParameters(search)
  if (repeated !== null) return 'The app has sent a request that says something twice.'
  const given = parameters.get('id_token_hint')
  const hint = given === undefined ? null : await readHint(c, given)
  if (given !== undefined && hint === null) return 'The app has sent a token that is not of this service.'
  const client_id = parameters.get('client_id') ?? hint?.aud
  if (hint !== null && client_id !== hint.aud) return 'The app has sent a token of another app.'
  const client = client_id === undefined ? null : ((await findClient(c, client_id))?.client ?? null)
  const uri = parameters.get('post_logout_redirect_uri')
  if (uri !== undefined && !client?.post_logout_redirect_uris.includes(uri)) {
    return 'The app asked to send you back to an address that it has not registered.'
  }
  return { hint, client, target: uri ?? null, parameters }
}

/** Ends the session of this browser's cookie. On 503 the cookie stays, so that the retry can name it. */
async function endSession(c: AppContext): Promise<void> {
  const cookie = readCookie(c, SESSION_COOKIE)
  const opened = cookie === null ? null : await openSessionCookie(c.get('services').ring, cookie)
  if (opened) {
    const { sub, sid, secret } = opened
    const ended = await c.get('objects').account(sub, 'signOut', (stub) => stub.signOut({ by: 'cookie', sid, secret }))
    if (ended.ok) requireDenied(ended)
    log(c, 'info', 'signed_out', { sub, sid })
  }
  clearSessionCookie(c)
}

async function finish(c: AppContext, { target, parameters }: Logout): Promise<Response> {
  await endSession(c)
  if (target === null) return signedOutPage(c)
  const state = parameters.get('state')
  const query = state === undefined ? '' : `${target.includes('?') ? '&' : '?'}${new URLSearchParams({ state })}`
  return c.redirect(`${target}${query}`, 303)
}

export const logout = operation({
  summary: 'Signs out (OpenID Connect RP-Initiated Logout): at once with an ID token of this very session, else after the person says so.',
  access: 'open',
  page: true,
  answers: {
    200: { description: 'A page: the question, or that it is done.' },
    303: { description: 'To a registered post_logout_redirect_uri, with `state`.' },
    400: { description: 'A page: something about the request is in doubt. Nobody is signed out or sent anywhere.' },
  },
  problems: [],
  async handle(c) {
    const read = await readLogout(c, new URL(c.req.url).searchParams)
    if (typeof read === 'string') return refusalPage(c, read)
    const session = await ownSession(c)
    // Nothing to end, and nobody to ask: no way for a stranger's document to send people on from here.
    if (session === null && read.target !== null && read.client?.source === 'document') return leavePage(c, read.target)
    // Without a session there is nothing to ask about; with another one the person decides (a foreign page could have sent them: ASVS 10.6.2).
    if (session === null || (read.hint !== null && read.hint.sid === session.sid)) return finish(c, read)
    const asked = FIELDS.flatMap((name): [string, string][] => (read.parameters.has(name) ? [[name, read.parameters.get(name) ?? '']] : []))
    const fields = { ...Object.fromEntries(asked), confirmed: 'yes' }
    const { client, target } = read
    return logoutConfirmPage(c, { client, email: session.person.email, fields, post_logout_redirect_uri: target })
  },
})

/** Our own page's answer signs out; a post from anywhere else (OpenID Connect allows both methods) is answered with the same by GET. */
export const logoutByPost = operation({
  summary: "The confirmation page's answer, or a client's request by POST.",
  access: 'open',
  page: true,
  answers: { 200: { description: 'A page.' }, 303: { description: 'To the client, or to the same request by GET.' } },
  problems: ['invalid_request', 'unavailable'],
  async handle(c) {
    const search = await readPageSearch(c)
    if (originOf(c, c.get('services').config) !== 'ours' || search.get('confirmed') !== 'yes') {
      search.delete('confirmed')
      return c.redirect(`/oauth/logout?${search}`, 303)
    }
    search.delete('confirmed')
    const read = await readLogout(c, search)
    return typeof read === 'string' ? refusalPage(c, read) : finish(c, read)
  },
})
