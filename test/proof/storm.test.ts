import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type Row, tally, writeFigures } from './figures.ts'
import { connect, demo, generationOf, inLanes, refresh, signIn, signUp, sleep, type Tokens } from './person.ts'
import { SEED, sized } from './size.ts'

const STORMS = sized(500, 10_000)
const WIDTH = 50
const FAMILIES = sized(40, 200)
const SIGN_UP_STORMS = sized(20, 100)
const OLD_FAMILIES = sized(5, 40)

/** Longer than zone A (30 s, exact to 1 s). */
const OUT_OF_GRACE = 31_500

const rows: Row[] = []
let server: Server
let client: Client
beforeAll(async () => {
  console.log(`storms: SEED=${SEED}`)
  server = await startServer()
  client = connect(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
  await writeFigures('storm', rows)
})

/** One family for each of `count` new accounts. */
async function families(name: string, count: number): Promise<{ email: string; tokens: Tokens }[]> {
  const people: { email: string; tokens: Tokens }[] = []
  await inLanes(count, 4, async (index) => {
    const email = `${name}-${index}@example.com`
    people.push({ email, tokens: await signUp(client, email) })
  })
  return people
}

/** Rotates `times` times in a row and answers all generations, the first one first. */
async function rotated(first: Tokens, times: number): Promise<Tokens[]> {
  const chain = [first]
  for (let time = 0; time < times; time++) chain.push((await refresh(client, newest(chain).refresh_token)).json)
  return chain
}

function newest<T>(chain: readonly T[], back = 0): T {
  const item = chain.at(-1 - back)
  if (item === undefined) throw new RangeError('the chain is shorter')
  return item
}

const reuseMails = async (email: string) => {
  const mails = (await client.get<{ to: string; subject: string }[]>('/dev/mailbox.json')).json
  return mails.filter(({ to, subject }) => to === email && subject === 'A sign-in of yours was ended').length
}

const statuses = async (...tokens: string[]) => await Promise.all(tokens.map(async (token) => (await refresh(client, token)).status))

// Together: the zones mostly wait.
describe.concurrent('a storm', { timeout: sized(180_000, 3_600_000) }, () => {
  test('of refreshes of one generation gets one successor, and costs nobody the session', async () => {
    const chains = (await families('storm', FAMILIES)).map(({ tokens }) => [tokens])
    let refused = 0
    let forks = 0
    let gaps = 0
    // A family has its storms one after the other, three families at a time.
    await inLanes(FAMILIES, 3, async (index) => {
      const chain = chains[index] ?? []
      const storms = Math.floor(STORMS / FAMILIES) + (index < STORMS % FAMILIES ? 1 : 0)
      for (let storm = 0; storm < storms; storm++) {
        const before = newest(chain).refresh_token
        const replies = await Promise.all(Array.from({ length: WIDTH }, () => refresh(client, before)))
        const answers = replies.filter(({ status }) => status === 200).map(({ json }) => json)
        refused += WIDTH - answers.length
        forks += Math.max(0, new Set(answers.map(({ refresh_token }) => refresh_token)).size - 1)
        const after = newest(answers)
        if (generationOf(after.refresh_token) !== generationOf(before) + 1) gaps += 1
        chain.push(after)
      }
    })
    let loggedOut = 0
    await inLanes(FAMILIES, 8, async (index) => {
      const last = newest(chains[index] ?? [])
      const next = await refresh(client, last.refresh_token)
      if (next.status !== 200 || (await demo(client, 'live', next.json.access_token)).status !== 200) loggedOut += 1
    })
    const presentations = STORMS * WIDTH
    rows.push({
      what: 'concurrent refreshes of one generation: refused / forks / generations skipped / families logged out',
      size: `${STORMS} storms of ${WIDTH} (${presentations} requests), ${FAMILIES} families`,
      result: [refused, forks, gaps, loggedOut].join(' / '),
    })
    expect({ refused, forks, gaps, loggedOut }).toEqual({ refused: 0, forks: 0, gaps: 0, loggedOut: 0 })
    const generations = chains.map((chain) => generationOf(newest(chain).refresh_token) - 1)
    expect(generations.reduce((sum, count) => sum + count, 0)).toBe(STORMS)
  })

  test('of sign-ups for one address makes one account, with the password of the one that got 201', async () => {
    const wrong: string[] = []
    const seen: number[] = []
    for (let storm = 0; storm < SIGN_UP_STORMS; storm++) {
      const email = `rush-${storm}@example.com`
      const passwordOf = (index: number) => `violet-otter-${index}-lantern`
      const replies = await Promise.all(
        Array.from({ length: WIDTH }, (_, index) => client.post('/api/sign-up', { email, password: passwordOf(index) })),
      )
      const got = replies.map(({ status }) => status)
      seen.push(...got)
      const winner = got.indexOf(201)
      if (got.filter((status) => status === 201).length !== 1) wrong.push(`${email}: ${tally(got)}`)
      const body = (index: number) => ({ email, password: passwordOf(index) })
      const mine = await client.post('/api/sign-in', body(winner))
      const other = await client.post('/api/sign-in', body((winner + 1) % WIDTH))
      if (mine.status !== 200 || other.status !== 401) wrong.push(`${email}: its password ${mine.status}, another ${other.status}`)
    }
    const result = `${wrong.length}; answers: ${tally(seen)}`
    rows.push({ what: 'concurrent sign-ups: addresses without exactly one 201', size: `${SIGN_UP_STORMS} storms of ${WIDTH}`, result })
    expect(wrong).toEqual([])
    expect(seen.filter((status) => status !== 201 && status !== 409 && status !== 503)).toEqual([])
  })

  test('is one thing; a late replay of an old generation is another, and ends its own session only', async ({ expect }) => {
    const people = await families('old', OLD_FAMILIES)
    const cases = await Promise.all(
      people.map(async ({ email, tokens }) => ({ email, chain: await rotated(tokens, 3), other: await signIn(client, email) })),
    )
    await sleep(OUT_OF_GRACE)
    await Promise.all(
      cases.map(async ({ email, chain, other }) => {
        const [third, second, first, last] = [newest(chain, 1), newest(chain, 2), newest(chain, 3), newest(chain)]
        expect(await statuses(second.refresh_token)).toEqual([400])
        expect((await demo(client, 'live', last.access_token)).status).toBe(401)
        expect(await statuses(last.refresh_token, third.refresh_token, second.refresh_token, first.refresh_token)).toEqual([
          400, 400, 400, 400,
        ])
        expect((await demo(client, 'live', other.access_token)).status).toBe(200)
        expect(await statuses(other.refresh_token)).toEqual([200])
        await expect.poll(() => reuseMails(email), { timeout: 10_000 }).toBe(1)
      }),
    )
    await sleep(3_000)
    for (const { email } of cases) expect(await reuseMails(email)).toBe(1)
    const what = 'a generation two behind, past 30 s: session ended at once, other session alive, one mail'
    rows.push({ what, size: `${cases.length} families`, result: `${cases.length} of ${cases.length}` })
  })

  test('is survived by a lost response however late, but not by two late ones in a row', async ({ expect }) => {
    const people = await families('late', 3 * OLD_FAMILIES)
    const cases = await Promise.all(people.map(async ({ email, tokens }) => ({ email, chain: await rotated(tokens, 2) })))
    await sleep(OUT_OF_GRACE)
    await Promise.all(
      cases.map(async ({ chain }, index) => {
        const late = newest(chain, 1).refresh_token
        const replies = await Promise.all(Array.from({ length: 20 }, () => refresh(client, late)))
        expect(new Set(replies.map(({ json }) => json.refresh_token))).toEqual(new Set([newest(chain).refresh_token]))
        // A third of them goes on by one generation, a third by two, a third not at all.
        chain.push(...(await rotated(newest(chain), index % 3)).slice(1))
      }),
    )
    await sleep(OUT_OF_GRACE)
    const ends = await Promise.all(
      cases.map(async ({ email, chain }, index) => {
        const last = newest(chain)
        const again = await refresh(client, newest(chain, 1).refresh_token)
        const live = (await demo(client, 'live', last.access_token)).status
        if (index % 3 === 1) {
          expect([again.status, live, ...(await statuses(last.refresh_token))]).toEqual([400, 401, 400])
          await expect.poll(() => reuseMails(email), { timeout: 10_000 }).toBe(1)
          return 'ended'
        }
        expect([again.status, live]).toEqual([200, 200])
        expect(again.json.refresh_token).toBe(last.refresh_token)
        expect(await statuses(last.refresh_token)).toEqual([200])
        return 'lives'
      }),
    )
    const ended = ends.filter((end) => end === 'ended').length
    const third = `${OLD_FAMILIES} families`
    rows.push(
      {
        what: 'one late retry, presented 20 times, then again 31 s later: lives',
        size: third,
        result: `${OLD_FAMILIES} of ${OLD_FAMILIES}`,
      },
      { what: 'two late retries, a generation apart: lives', size: third, result: `${OLD_FAMILIES} of ${OLD_FAMILIES}` },
      { what: 'two late retries of consecutive generations: ended, one mail', size: third, result: `${ended} of ${OLD_FAMILIES}` },
    )
  })
})
