// What an issuer that means harm can do to whoever runs `sallyport` against it: nothing to the terminal, nothing to other issuers' places.
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Home, newHome } from '../support/node/command.ts'

const ESCAPE = '\u001b]0;owned\u0007'
const TOKEN = { access_token: 'good', token_type: 'Bearer', expires_in: 300, refresh_token: 'r', scope: 'openid' }
const DEVICE = { device_code: 'd', user_code: 'ABCD-EFGH', expires_in: 30, interval: 1 }

let server: Server
let issuer = ''
/** By path, as JSON text: what it says beyond the metadata. */
let answers: Record<string, string> = {}
let asked: string[] = []
/** The tokens that it was asked to revoke. */
let ended: string[] = []
const homes: Home[] = []

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const { url = '' } = request
    asked.push(url)
    const form = new URLSearchParams(await text(request))
    if (url === '/revocation') ended.push(form.get('token') ?? '')
    const endpoints = Object.fromEntries(
      ['device_authorization', 'token', 'revocation', 'userinfo'].map((name) => [`${name}_endpoint`, `${issuer}/${name}`]),
    )
    const metadata = JSON.stringify({ issuer, ...endpoints })
    const device = JSON.stringify({ ...DEVICE, verification_uri: `${issuer}/device` })
    const said = { '/.well-known/oauth-authorization-server': metadata, '/device_authorization': device, ...answers }[url]
    response.writeHead(said === undefined ? 404 : said.startsWith('{"error"') ? 400 : 200, { 'content-type': 'application/json' }).end(said)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port }: Partial<AddressInfo> = Object(server.address())
  issuer = `http://127.0.0.1:${port}`
})
afterEach(() => {
  answers = {}
  asked = []
  ended = []
})
afterAll(async () => {
  await Promise.all(homes.map((home) => home.remove()))
  server.close()
})

async function login(prepare?: (home: Home) => Promise<unknown>) {
  const home = await newHome()
  homes.push(home)
  await prepare?.(home)
  return { home, ran: await home.run('login', '--issuer', issuer) }
}

test('a token that would steer the terminal, or end a header early, is none', async () => {
  for (const access_token of [`${ESCAPE}x`, 'x\r\nX-Other: y', '', 'ä']) {
    answers = { '/token': JSON.stringify({ ...TOKEN, access_token }) }
    const { home, ran } = await login()
    expect([ran.code, ran.stdout]).toEqual([1, ''])
    expect(ran.stderr).not.toContain(ESCAPE)
    expect(await home.run('token')).toMatchObject({ code: 1, stdout: '' })
  }
})

test('a lifetime without an end damages no file: what is kept can be read again', async () => {
  answers = { '/token': JSON.stringify(TOKEN).replace('300', '1e999') }
  const { home } = await login()
  const { stderr } = await home.run('token', '--issuer', issuer)
  expect(stderr).not.toContain('damaged')
})

test('a pace that no timer can keep is refused, and not taken for none', async () => {
  const endless = { ...DEVICE, expires_in: 3, interval: 1e10, verification_uri: `${issuer}/device` }
  answers = { '/device_authorization': JSON.stringify(endless), '/token': JSON.stringify({ error: 'authorization_pending' }) }
  expect((await login()).ran).toMatchObject({ code: 1, stderr: expect.stringContaining('RFC 8628') })
  expect(asked).not.toContain('/token')
})

test('what it says of a person or of a refusal cannot turn the direction of a line', async () => {
  const turned = 'Ada\u202eadA\u2066\u2028'
  answers = { '/token': JSON.stringify(TOKEN), '/userinfo': JSON.stringify({ name: turned }) }
  const { home } = await login()
  const { stdout } = await home.run('whoami')
  expect(stdout).not.toMatch(/[\u202e\u2066\u2028]/)
  expect(JSON.parse(stdout)).toEqual({ name: turned })
  answers = { '/device_authorization': JSON.stringify({ error: 'invalid_scope', error_description: turned }) }
  const { ran } = await login()
  expect(ran.stderr).toContain('invalid_scope')
  expect(ran.stderr).not.toMatch(/[\u202e\u2066\u2028]/)
})

test('a login before that it does not end keeps nobody from the new one, and is said', async () => {
  answers = { '/token': JSON.stringify(TOKEN), '/revocation': '{}' }
  const { home, ran } = await login()
  expect(ran).toMatchObject({ code: 0, stderr: expect.not.stringContaining('before') })
  expect(asked).not.toContain('/revocation')
  answers = { '/token': JSON.stringify({ ...TOKEN, refresh_token: 's' }) }
  const again = await home.run('login', '--issuer', issuer)
  expect(again).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('The login before this one lives on') })
  expect(asked).toContain('/revocation')
  expect((await home.read()).issuers[issuer]).toMatchObject({ refresh_token: 's' })
})

test.each([
  ['there is a file where its directory should be', (home: Home) => writeFile(path.dirname(home.credentials), ''), 'could not be kept'],
  ['there is a directory where its file should be', (home: Home) => mkdir(home.credentials, { recursive: true }), 'cannot be read'],
])('a login that cannot be kept because %s is ended again', async (_, prepare, reason) => {
  answers = { '/token': JSON.stringify(TOKEN), '/revocation': '{}' }
  const { ran } = await login(prepare)
  expect(ran).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(new RegExp(`\\n[^\\n]*${reason}[^\\n]*\\n$`)) })
  expect(ran.stderr).not.toContain('Signed in')
  expect(ended).toEqual(['r'])
})

test('a login that can be neither kept nor ended says both', async () => {
  answers = { '/token': JSON.stringify(TOKEN) }
  const { ran } = await login((home) => writeFile(path.dirname(home.credentials), ''))
  expect(ran.code).toBe(1)
  for (const said of ['This login lives on until it runs out', 'could not be kept']) expect(ran.stderr).toContain(said)
})
