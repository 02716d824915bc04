import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium } from '../support/node/chromium.ts'
import { type Example, startExample } from '../support/node/example.ts'
import { type Client, createClient } from '../support/node/http.ts'

// `browser-app` brings the notes API, so that one start shows both.
let example: Example
let browser: Browser
let sallyport: Client
let notes: Client
beforeAll(async () => {
  ;[example, browser] = await Promise.all([startExample('browser-app'), launchChromium()])
  sallyport = createClient(example.sallyport)
  notes = createClient(example.notesApi)
})
afterAll(async () => {
  sallyport.close()
  notes.close()
  await browser.close()
  expect(await example.stop()).toBe(0)
})

const PASSWORD = 'violet-otter-41-lantern'
type Tokens = { access_token: string; refresh_token: string; sub: string }

async function signUp(email: string, scope: string): Promise<Tokens> {
  return (await sallyport.post<Tokens>('/api/sign-up', { email, password: PASSWORD, use: 'tokens', audience: example.notesApi, scope }))
    .json
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('the notes API', () => {
  test('keeps notes of each account apart', async () => {
    const ada = await signUp('ada@example.com', 'notes:read notes:write')
    const bob = await signUp('bob@example.com', 'notes:read notes:write')
    expect((await notes.post('/notes', 'buy milk', bearer(ada.access_token))).status).toBe(201)
    expect((await notes.get('/notes', bearer(ada.access_token))).json).toMatchObject({ notes: [{ text: 'buy milk' }] })
    expect((await notes.get('/notes', bearer(bob.access_token))).json).toEqual({ notes: [] })
  })

  test('needs the scope of each route, and names it', async () => {
    const { access_token } = await signUp('cem@example.com', 'notes:read')
    expect((await notes.get('/notes', bearer(access_token))).status).toBe(200)
    const refused = await notes.post('/notes', 'no', bearer(access_token))
    expect(refused.status).toBe(403)
    expect(refused.headers['www-authenticate']).toContain('scope="notes:write"')
  })

  test('refuses after a sign-out: at once where it asks live, within 5 s where it looks at the list, not where it is offline', async () => {
    const { access_token, refresh_token } = await signUp('dan@example.com', 'notes:read notes:write')
    expect((await notes.get('/notes', bearer(access_token))).status).toBe(200)
    expect((await sallyport.post('/api/sign-out', { refresh_token })).status).toBe(204)
    const acknowledged = Date.now()
    expect((await notes.delete('/notes', bearer(access_token))).json).toMatchObject({ code: 'token_revoked' })
    await expect.poll(async () => (await notes.get('/notes', bearer(access_token))).status, { timeout: 6000 }).toBe(401)
    expect(Date.now() - acknowledged).toBeLessThan(5000)
    expect((await notes.get('/whoami', bearer(access_token))).status).toBe(200)
  })

  test('says outdated, not revoked, when the roles of the account change', async () => {
    const { access_token } = await signUp('eve@example.com', 'notes:read notes:write')
    const operator = bearer(example.adminToken)
    const { sub } = (await sallyport.get('/admin/api/accounts?email=eve@example.com', operator)).json
    expect((await sallyport.put(`/admin/api/accounts/${sub}/roles`, { roles: ['editor'] }, operator)).status).toBe(204)
    const refused = await notes.delete('/notes', bearer(access_token))
    expect(refused.headers['www-authenticate']).toBe('Bearer error="invalid_token", error_description="outdated"')
  })

  test('knows no token, no notes', async () => {
    const reply = await notes.get('/notes')
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer'])
  })
})

describe('the page', () => {
  const open = async (page: Page) => {
    await page.goto(example.browserApp)
    await page
      .getByRole('status')
      .getByText(/signed in/i)
      .waitFor()
    return page
  }
  const fill = async (page: Page, email: string, button: string) => {
    await page.getByLabel('E-mail').fill(email)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: button }).click()
  }

  test('signs up, keeps notes, follows in other tabs, and signs out everywhere, without an error in the console', async () => {
    const context = await browser.newContext()
    const errors: string[] = []
    context.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    context.on('weberror', (error) => errors.push(`${error.error()}`))
    const first = await open(await context.newPage())
    const second = await open(await context.newPage())
    await fill(first, 'page@example.com', 'Make an account')
    for (const tab of [first, second]) await tab.getByText('Signed in as page@example.com.').waitFor()
    await first.getByLabel('A note').fill('<b>bold</b> & brave')
    await first.getByRole('button', { name: 'Add' }).click()
    await first.getByRole('listitem').getByText('<b>bold</b> & brave').waitFor()
    await second.reload()
    await second.getByRole('listitem').getByText('<b>bold</b> & brave').waitFor()
    await second.getByRole('button', { name: 'Delete all' }).click()
    await expect.poll(() => second.getByRole('listitem').count()).toBe(0)
    await second.getByRole('button', { name: 'Sign out' }).click()
    for (const tab of [first, second]) await tab.getByText('Nobody is signed in.').waitFor()
    // Chromium itself reports each answer of 401, which is how the page learns that nobody is signed in.
    expect(errors.filter((text) => !/status of 401/.test(text))).toEqual([])
    await context.close()
  })

  test('tells a wrong password to the person, and signs in with the right one', async () => {
    await signUp('back@example.com', 'notes:read')
    const context = await browser.newContext()
    const page = await open(await context.newPage())
    await page.getByLabel('E-mail').fill('back@example.com')
    await page.getByLabel('Password').fill('wrong-otter-41-lantern')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('The address or the password is wrong.').waitFor()
    await fill(page, 'back@example.com', 'Sign in')
    await page.getByText('Signed in as back@example.com.').waitFor()
    await context.close()
  })
})
