import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import {
  authorizationQuery,
  authorize,
  codeFor,
  locationOf,
  pkce,
  postAs,
  type Registered,
  redeem,
  refreshAs,
  register,
} from '../support/node/oauth.ts'
import { browser, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { ASSERTION_TYPE, makeAssertion, makeKey, tokenProof } from './client-proofs.ts'
import { DEVICE_GRANT, type Device, decideDevice, startDevice } from './device-flow.ts'
import { type Row, tally, writeFigures } from './figures.ts'
import { bearer, connect, generationOf, inLanes, requireStatus, sleep } from './person.ts'
import { createRandom } from './random.ts'
import { SEED, sized } from './size.ts'

const WIDTH = 20
const CODE_STORMS = sized(200, 10_000)
const MIXED_STORMS = sized(40, 2_000)
const REFRESH_STORMS = sized(60, 3_000)
const DEVICE_STORMS = sized(20, 1_000)
const PROOF_STORMS = sized(25, 1_000)
const PEOPLE = 8
/** Contract 15 and 23: how long after the storm a verifier that asks nobody may still accept. */
const BOUND_MS = 5_000

const rows: Row[] = []
const random = createRandom(SEED)
let server: Server
let http: Client
let people: Client[]
let publicClient: Registered
let confidential: Registered
let stranger: Registered
let deviceClient: Registered
beforeAll(async () => {
  console.log(`code storms: SEED=${SEED}`)
  server = await startServer()
  http = connect(server.origin)
  people = Array.from({ length: PEOPLE }, () => browser(server.origin))
  await Promise.all(people.map((person, index) => signUp(person, `storm-${index}@example.com`)))
  publicClient = await register(http)
  confidential = await register(http, { token_endpoint_auth_method: 'client_secret_post' })
  stranger = await register(http)
  deviceClient = await register(http, {
    redirect_uris: [],
    grant_types: [DEVICE_GRANT, 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_post',
  })
})
afterAll(async () => {
  for (const client of [http, ...people]) client.close()
  await server.stop()
  await writeFigures('code-storm', rows)
})

const personOf = (index: number): Client => {
  const person = people[index % PEOPLE]
  if (!person) throw new RangeError('nobody')
  return person
}

const times = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)))

type Answer = { access_token?: string; refresh_token?: string; error?: string }
type Won = { client: Registered; answer: Answer; endedMs: number }

const won = (replies: readonly Reply<Answer>[]) => replies.filter(({ status }) => status === 200).map(({ json }) => json)
const strange = (replies: readonly Reply<Answer>[], expected: string) =>
  replies.filter(({ status, json }) => status !== 200 && !(status === 400 && json.error === expected)).map(({ text }) => text)

const isActive = async (client: Registered, token: string) =>
  (await postAs<{ active: boolean }>(http, '/oauth/introspect', client, { token })).json.active

/** Whatever a storm gave has ended: the refresh token and every `live` answer at once, `fresh` ones within the bound. */
async function expectEnded({ client, answer, endedMs }: Won): Promise<string[]> {
  const { access_token = '', refresh_token = '' } = answer
  const refreshed = await refreshAs(http, client, refresh_token)
  const faults = refreshed.status === 400 && refreshed.json.error === 'invalid_grant' ? [] : [`refresh answers ${refreshed.status}`]
  if (client.client_secret !== undefined && (await isActive(client, access_token))) faults.push('the access token is active')
  if (!access_token) faults.push('no access token')
  for (;;) {
    const askedMs = Date.now()
    const { status } = await http.get('/oauth/userinfo', bearer(access_token))
    if (status === 401) return faults
    if (askedMs > endedMs + BOUND_MS) return [...faults, `userinfo answers ${status} after the bound`]
    await sleep(100)
  }
}

// One after the other: the figures are counts, and the machine has what it needs.
describe('a storm', { timeout: sized(120_000, 3_600_000) }, () => {
  test('of presentations of one code gives tokens at most once, and its winner has its grant ended', async () => {
    const winners: Won[] = []
    const wrong: string[] = []
    let without = 0
    await inLanes(CODE_STORMS, 4, async (index) => {
      const client = index % 2 === 0 ? publicClient : confidential
      const good = await codeFor(personOf(index), client, { scope: 'openid offline_access' })
      const replies = await times(WIDTH, () => redeem(http, client, good))
      const answers = won(replies)
      wrong.push(...strange(replies, 'invalid_grant'))
      if (answers.length > 1) wrong.push(`${answers.length} answers with tokens`)
      if (answers.length === 0) without += 1
      for (const answer of answers) winners.push({ client, answer, endedMs: Date.now() })
    })
    const alive: string[] = []
    await inLanes(winners.length, 8, async (index) => {
      const winner = winners[index]
      if (winner) alive.push(...(await expectEnded(winner)))
    })
    rows.push({
      what: 'concurrent presentations of one code: storms with more than one answer with tokens / winners whose grant lives / storms without a winner',
      size: `${CODE_STORMS} storms of ${WIDTH}`,
      result: `${wrong.length} / ${alive.length} / ${without}`,
    })
    expect({ wrong, alive, without }).toEqual({ wrong: [], alive: [], without: 0 })
  })

  test('of wrong presentations never hurts the owner, who presents the code once among them', async () => {
    const wrong: string[] = []
    await inLanes(MIXED_STORMS, 4, async (index) => {
      const good = await codeFor(personOf(index), publicClient, { scope: 'openid offline_access' })
      const mine = random.int(0, WIDTH - 1)
      const bad = [
        () => redeem(http, publicClient, { ...good, code_verifier: pkce().code_verifier }),
        () => redeem(http, stranger, good),
        () => redeem(http, confidential, good),
        () => redeem(http, publicClient, { ...good, redirect_uri: `${good.redirect_uri}/` }),
        () =>
          postAs(http, '/oauth/token', publicClient, {
            grant_type: 'authorization_code',
            code: good.code,
            redirect_uri: good.redirect_uri,
          }),
      ]
      const replies = await times(WIDTH, (at) => (at === mine ? redeem(http, publicClient, good) : random.pick(bad)()))
      const [answer, ...more] = won(replies)
      wrong.push(...strange(replies, 'invalid_grant'))
      if (!answer || more.length > 0) wrong.push(`${answer ? more.length + 1 : 0} answers with tokens`)
      const { access_token = '', refresh_token = '' } = answer ?? {}
      // Afterwards as well: whoever has no verifier cannot end what it gave.
      await times(4, () => random.pick(bad)())
      const userinfo = await http.get('/oauth/userinfo', bearer(access_token))
      const refreshed = await refreshAs(http, publicClient, refresh_token)
      if (userinfo.status !== 200 || refreshed.status !== 200)
        wrong.push(`the owner: userinfo ${userinfo.status}, refresh ${refreshed.text}`)
    })
    const result = `${wrong.length}`
    rows.push({
      what: 'one right presentation among wrong ones: owners hurt, or strangers served',
      size: `${MIXED_STORMS} storms of ${WIDTH}`,
      result,
    })
    expect(wrong).toEqual([])
  })

  test("of refreshes of an OAuth client's token gets one successor, and costs nobody the grant", async () => {
    const FAMILIES = 12
    const wrong: string[] = []
    await inLanes(FAMILIES, 3, async (family) => {
      const client = family % 2 === 0 ? publicClient : confidential
      const good = await codeFor(personOf(family), client, { scope: 'openid offline_access' })
      let newest = requireStatus(await redeem(http, client, good), 200).json.refresh_token ?? ''
      for (let storm = 0; storm < REFRESH_STORMS / FAMILIES; storm++) {
        const replies = await times(WIDTH, () => refreshAs(http, client, newest))
        const successors = new Set(won(replies).map(({ refresh_token = '' }) => refresh_token))
        const [next = ''] = successors
        if (won(replies).length !== WIDTH) wrong.push(`refused: ${tally(replies.map(({ status }) => status))}`)
        if (successors.size !== 1) wrong.push(`${successors.size} successors`)
        else if (generationOf(next) !== generationOf(newest) + 1) wrong.push('a generation skipped')
        newest = next
      }
      if ((await refreshAs(http, client, newest)).status !== 200) wrong.push('the grant has ended')
    })
    rows.push({
      what: 'concurrent refreshes of one generation by an OAuth client: refused, forked, skipped or ended',
      size: `${REFRESH_STORMS} storms of ${WIDTH}, ${FAMILIES} families`,
      result: `${wrong.length}`,
    })
    expect(wrong).toEqual([])
  })

  test('of polls with one approved device code gives tokens at most once, and its winner has its grant ended', async () => {
    const winners: Won[] = []
    const wrong: string[] = []
    await inLanes(DEVICE_STORMS, 4, async (index) => {
      const device: Device = await startDevice(http, deviceClient, 'openid offline_access')
      await decideDevice(personOf(index), device, 'allow')
      const poll = () => postAs(http, '/oauth/token', deviceClient, { grant_type: DEVICE_GRANT, device_code: device.device_code })
      const replies = await times(WIDTH, poll)
      const answers = won(replies)
      wrong.push(...strange(replies, 'invalid_grant'))
      if (answers.length !== 1) wrong.push(`${answers.length} answers with tokens`)
      for (const answer of answers) winners.push({ client: deviceClient, answer, endedMs: Date.now() })
    })
    const alive: string[] = []
    await inLanes(winners.length, 8, async (index) => {
      const winner = winners[index]
      if (winner) alive.push(...(await expectEnded(winner)))
    })
    rows.push({
      what: 'concurrent polls with one approved device code: not exactly one answer with tokens / winners whose grant lives',
      size: `${DEVICE_STORMS} storms of ${WIDTH}`,
      result: `${wrong.length} / ${alive.length}`,
    })
    expect({ wrong, alive }).toEqual({ wrong: [], alive: [] })
  })

  test('of visits with one pushed request, one is given a code', async () => {
    const wrong: string[] = []
    await inLanes(PROOF_STORMS, 4, async (index) => {
      const person = personOf(index)
      const { client_id } = publicClient
      const asked = authorizationQuery(publicClient, pkce().code_challenge)
      await authorize(person, asked)
      const query = Object.fromEntries(new URLSearchParams(asked))
      const { request_uri } = requireStatus(await postAs<{ request_uri: string }>(http, '/oauth/par', publicClient, query), 201).json
      const visit = async (as: string) => {
        const on = await person.get(`/oauth/authorize?${new URLSearchParams({ client_id: as, request_uri })}`)
        return on.status === 303 ? person.get(on.headers.location ?? '') : on
      }
      // The visits of another client take nothing away.
      const [strangers, replies] = await Promise.all([times(2, () => visit(stranger.client_id)), times(WIDTH, () => visit(client_id))])
      const statuses = tally([...replies, ...strangers].map(({ status }) => status))
      const codes = replies.filter((reply) => locationOf(reply).searchParams.has('code')).length
      if (statuses !== `400 ${WIDTH + 1}, 303 1` || codes !== 1) wrong.push(statuses)
    })
    rows.push({
      what: 'concurrent visits with one request_uri: not exactly one code',
      size: `${PROOF_STORMS} storms of ${WIDTH}`,
      result: `${wrong.length}`,
    })
    expect(wrong).toEqual([])
  })

  test('of one client assertion, and of one DPoP proof, is let in exactly once', async () => {
    const key = await makeKey()
    const machine = { redirect_uris: [], grant_types: ['client_credentials'] }
    const asserting = await register(http, { ...machine, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } })
    const proving = await register(http, { ...machine, token_endpoint_auth_method: 'client_secret_basic' })
    const grant = { grant_type: 'client_credentials' }
    const wrong: string[] = []
    await inLanes(PROOF_STORMS, 4, async () => {
      const { client_id } = asserting
      const client_assertion = await makeAssertion(key, client_id, server.origin)
      const form = new URLSearchParams({ ...grant, client_assertion_type: ASSERTION_TYPE, client_assertion })
      const asserted = await times(WIDTH, () => http.post<Answer>('/oauth/token', form))
      const own = await makeKey()
      const header = await tokenProof(http, own)
      const proven = await times(WIDTH, () => postAs<Answer>(http, '/oauth/token', proving, grant, header))
      const statuses = [asserted, proven].map((replies) => tally(replies.map(({ status }) => status)))
      if (statuses[0] !== `401 ${WIDTH - 1}, 200 1`) wrong.push(`assertion: ${statuses[0]}`)
      if (statuses[1] !== `400 ${WIDTH - 1}, 200 1`) wrong.push(`DPoP: ${statuses[1]}`)
      wrong.push(...strange(proven, 'invalid_dpop_proof'))
    })
    rows.push({
      what: 'concurrent uses of one client assertion, and of one DPoP proof: not exactly one let in',
      size: `${PROOF_STORMS} storms of ${WIDTH} each`,
      result: `${wrong.length}`,
    })
    expect(wrong).toEqual([])
  })
})
