import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NODE } from '../../scripts/toolchain.mjs'
import { CLI_CLIENT_ID } from '../../src/protocol/claims.ts'
import { type Home, newHome, type Ran } from '../support/node/command.ts'
import type { Client } from '../support/node/http.ts'
import type { TokenAnswer } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, demo, fromOwnPage, msUntil, operatorOf, type Session, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const API = 'https://api.example.com'

let server: Server
let http: Client
const homes: Home[] = []
const people: Client[] = []

/** Someone at a browser, who looks at what the command has printed and decides. */
async function loginOf(home: Home, person: Client, decision: 'allow' | 'deny', ...options: string[]) {
  const running = home.start('login', '--issuer', server.origin, ...options)
  const [, address = '', code = ''] = await running.said(/^Open (\S+)\nand compare the code: (\S+)\n/)
  const page = await person.get(address)
  const found = await person.post('/device', new URLSearchParams({ user_code: code }), fromOwnPage(server))
  await person.post('/device', new URLSearchParams({ user_code: code, decision }), fromOwnPage(server))
  return { page: page.text, found: found.text, code, ran: await running.ended }
}

async function signedInByCommand(email: string, decision: 'allow' | 'deny', ...options: string[]) {
  const [home, person] = [await newHome(), browser(server.origin)]
  homes.push(home)
  people.push(person)
  const session = await signUp(person, email)
  return { home, person, session, ...(await loginOf(home, person, decision, ...options)) }
}

/** Who has signed in, and then does so once more. */
async function twice(email: string) {
  const first = await signedInByCommand(email, 'allow')
  const before = await credentialsIn(first.home)
  return { ...first, before, again: loginOf(first.home, first.person, 'allow') }
}

let ada: Awaited<ReturnType<typeof signedInByCommand>>
let bob: typeof ada
let eve: typeof ada
let lee: typeof ada
let kim: Awaited<ReturnType<typeof twice>>
// All at once: each login waits 5 seconds for its first poll. Kim's second one goes on while the others are tested.
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: API, SCOPES: 'notes:read' } })
  http = app(server.origin)
  ;[ada, bob, eve, lee, kim] = await Promise.all([
    signedInByCommand('ada@example.com', 'allow'),
    signedInByCommand('bob@example.com', 'allow', '--scope', 'notes:read', '--resource', API),
    signedInByCommand('eve@example.com', 'deny'),
    signedInByCommand('lee@example.com', 'allow'),
    twice('kim@example.com'),
  ])
})
afterAll(async () => {
  for (const client of [http, ...people]) client.close()
  await Promise.all(homes.map((home) => home.remove()))
  await server.stop()
})

const printed = ({ code, stdout, stderr }: Ran): string => {
  expect([code, stderr]).toEqual([0, ''])
  return stdout.trim()
}
const credentialsIn = async (home: Home) => {
  const credentials = (await home.read()).issuers[server.origin]
  if (!credentials) throw new Error('nobody is signed in')
  return credentials
}
const expire = (home: Home) =>
  home.change(({ issuers }) => {
    for (const { tokens } of Object.values(issuers)) for (const held of Object.values(tokens)) held.expires_at = 0
  })
const refreshed = (refresh_token: string) =>
  http.post<TokenAnswer>('/oauth/token', new URLSearchParams({ grant_type: 'refresh_token', client_id: CLI_CLIENT_ID, refresh_token }))
const userinfo = (token: string) => http.get<Session>('/oauth/userinfo', bearer(token))

describe('sallyport login', () => {
  test('shows an address and a code, and a page on which they meet', () => {
    expect(ada.page).toContain(ada.code)
    expect(ada.found).toContain('Sallyport on the command line')
    expect(ada.ran).toMatchObject({ code: 0, stdout: '' })
    expect(ada.ran.stderr).toContain(`Signed in to ${server.origin}.`)
  })

  test('keeps what it was given for the eyes of its owner', async () => {
    expect(await ada.home.modes()).toEqual([0o700, 0o600])
    expect(await ada.home.read()).toMatchObject({ current: server.origin })
    expect((await credentialsIn(ada.home)).scope).toBe('openid offline_access profile email')
  })

  test('says so when it is not allowed, and keeps nothing', async () => {
    expect(eve.ran).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/\nIt was not allowed\.\n$/) })
    expect(await eve.home.run('token', '--issuer', server.origin)).toMatchObject({ code: 1, stdout: '' })
  })

  test('says what the issuer does not give', async () => {
    const ran = await eve.home.run('login', '--issuer', server.origin, '--scope', 'account')
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('invalid_scope')])
    const other = await eve.home.run('login', '--issuer', server.origin, '--resource', 'https://other.example')
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('invalid_target')])
  })
})

describe('sallyport whoami and sallyport token', () => {
  test('answer for whoever has signed in', async () => {
    expect(JSON.parse(printed(await ada.home.run('whoami')))).toMatchObject({ sub: ada.session.sub, email: 'ada@example.com' })
    const token = printed(await ada.home.run('token'))
    expect(claimsOf(token)).toMatchObject({ client_id: CLI_CLIENT_ID, sub: ada.session.sub, aud: server.origin })
    expect((await userinfo(token)).json.sub).toBe(ada.session.sub)
    expect(printed(await ada.home.run('token'))).toBe(token)
  })

  test('are for the API that was named, and for the issuer when it is asked', async () => {
    expect(claimsOf(printed(await bob.home.run('token')))).toMatchObject({ aud: API, scope: expect.stringContaining('notes:read') })
    expect(JSON.parse(printed(await bob.home.run('whoami')))).toEqual({ sub: bob.session.sub })
    expect(Object.keys((await credentialsIn(bob.home)).tokens).sort()).toEqual([API, server.origin].sort())
  })

  test('refresh once for all processes that ask at the same time', async () => {
    const before = await credentialsIn(ada.home)
    await expire(ada.home)
    const tokens = (await Promise.all(Array.from({ length: 6 }, () => ada.home.run('token')))).map(printed)
    expect(new Set(tokens).size).toBe(1)
    const after = await credentialsIn(ada.home)
    expect([after.refresh_token === before.refresh_token, tokens[0] === before.tokens[server.origin]?.access_token]).toEqual([false, false])
    expect((await userinfo(tokens[0] ?? '')).status).toBe(200)
    await expect(access(ada.home.lock)).rejects.toThrow('ENOENT')
  })

  test('do not wait for a process that died with the lock', async () => {
    const dead = spawn(NODE, ['-e', ''])
    await once(dead, 'exit')
    await writeFile(ada.home.lock, `${dead.pid}`)
    await expire(ada.home)
    expect((await userinfo(printed(await ada.home.run('token')))).status).toBe(200)
  })

  test('go on when the account has changed', async () => {
    const token = printed(await ada.home.run('token'))
    const roles = await http.put(`/admin/api/accounts/${ada.session.sub}/roles`, { roles: ['editor'] }, operatorOf(server))
    expect(roles.status).toBe(204)
    await msUntil(5_000, 401, () => userinfo(token))
    expect(printed(await ada.home.run('token'))).toBe(token)
    const another = printed(await ada.home.run('token', '--new'))
    expect((await userinfo(another)).status).toBe(200)
    await ada.home.change(({ issuers }) => {
      const held = issuers[server.origin]?.tokens[server.origin]
      if (held) held.access_token = token
    })
    expect(JSON.parse(printed(await ada.home.run('whoami')))).toMatchObject({ sub: ada.session.sub })
    expect((await userinfo(printed(await ada.home.run('token')))).status).toBe(200)
  })

  test('say that nobody is signed in, once the person has ended everything', async () => {
    expect((await bob.person.delete('/api/sessions', fromOwnPage(server))).status).toBe(204)
    await expire(bob.home)
    const ran = await bob.home.run('token')
    expect(ran).toEqual({
      code: 1,
      stdout: '',
      stderr: `Nobody is signed in to ${server.origin}: sallyport login --issuer ${server.origin}\n`,
    })
    expect(await bob.home.read()).toEqual({ current: null, issuers: {} })
  })
})

describe('sallyport logout', () => {
  test('ends at the issuer what was given, then forgets it', async () => {
    const { refresh_token } = await credentialsIn(ada.home)
    const token = printed(await ada.home.run('token'))
    expect(await ada.home.run('logout')).toEqual({ code: 0, stdout: '', stderr: `Signed out of ${server.origin}.\n` })
    expect((await refreshed(refresh_token)).json.error).toBe('invalid_grant')
    await msUntil(5_000, 401, () => userinfo(token))
    expect((await ada.home.run('whoami')).code).toBe(1)
  })

  test('keeps what it could not end', async () => {
    const home = await newHome()
    homes.push(home)
    // Nobody listens there.
    const gone = 'http://localhost:1'
    const other = await home.run('logout', '--issuer', gone)
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('Nobody is signed in')])
    const credentials = { refresh_token: 'x', scope: 'openid', resource: gone, tokens: {} }
    await writeFile(home.credentials, JSON.stringify({ current: gone, issuers: { [gone]: credentials } }))
    const ran = await home.run('logout')
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/cannot be asked: .+\. Try again, or delete .+\n$/)])
    expect(await home.read()).toMatchObject({ current: gone, issuers: { [gone]: credentials } })
  })
})

describe('the command line', () => {
  test.each([
    ['nothing', []],
    ['an unknown command', ['sign-in']],
    ['an unknown option', ['login', '--password', 'x']],
    ['two commands', ['whoami', 'token']],
    ['an option of another command', ['token', '--scope', 'openid']],
    ['an option of another command', ['login', '--new']],
  ])('with %s is answered with how to use it', async (_, args) => {
    const ran = await eve.home.run(...args)
    expect([ran.code, ran.stdout]).toEqual([2, ''])
    expect(ran.stderr).toMatch(/^Usage: sallyport COMMAND/)
  })

  test.each([
    'auth.example.com',
    'http://auth.example.com',
    'https://user@auth.example.com',
    'https://auth.example.com/tenant',
    'file:///etc',
  ])('takes no issuer at %s', async (issuer) => {
    const ran = await eve.home.run('login', '--issuer', issuer)
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/^--issuer must be /)])
  })

  test('says what to do with a file that is damaged', async () => {
    const home = await newHome()
    homes.push(home)
    await home.run('logout', '--issuer', 'http://localhost:1')
    for (const text of ['{', '[]', '{"current":1,"issuers":{}}', '{"current":null,"issuers":{"x":{"refresh_token":1}}}']) {
      await writeFile(home.credentials, text)
      const ran = await home.run('token')
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('is damaged: delete it')])
    }
  })
})

describe('sallyport login, while signed in', () => {
  test('ends the login that was there before, once the new one is kept', async () => {
    expect((await kim.again).ran).toMatchObject({ code: 0, stdout: '' })
    const after = await credentialsIn(kim.home)
    expect(after.refresh_token).not.toBe(kim.before.refresh_token)
    expect((await refreshed(kim.before.refresh_token)).json.error).toBe('invalid_grant')
    expect((await refreshed(after.refresh_token)).status).toBe(200)
  })
})

describe('an issuer that has switched the command off', () => {
  test('signs nobody in by it and gives its logins nothing; switched on again it gives what it gave', async () => {
    const held = (await credentialsIn(lee.home)).tokens[server.origin]?.access_token ?? ''
    expect((await userinfo(held)).json.sub).toBe(lee.session.sub)
    await expire(lee.home)
    await server.restart({ CLI_CLIENT: 'off' })
    for (const args of [['login', '--issuer', server.origin], ['token']]) {
      const ran = await lee.home.run(...args)
      expect([ran.code, ran.stdout, ran.stderr]).toEqual([1, '', expect.stringContaining('invalid_client')])
    }
    expect([(await demo(http, 'live', held)).status, (await userinfo(held)).status]).toEqual([401, 401])
    await server.restart()
    expect(claimsOf(printed(await lee.home.run('token'))).sub).toBe(lee.session.sub)
  })
})
