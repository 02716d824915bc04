import { randomBytes } from 'node:crypto'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium } from '../support/node/chromium.ts'
import { PASSWORD } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

let server: Server
let browser: Browser
beforeAll(async () => {
  ;[server, browser] = await Promise.all([startServer(), launchChromium()])
})
afterAll(async () => {
  await browser.close()
  await server.stop()
})

const newEmail = () => `p${randomBytes(6).toString('hex')}@example.com`

/** A tab, and what its console says beside the statuses of pages that refuse. */
async function open(context: BrowserContext): Promise<{ page: Page; complaints: string[] }> {
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (!/^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  return { page, complaints }
}

async function fill(page: Page, path: string, fields: Record<string, string>): Promise<void> {
  await page.goto(`${server.origin}${path}`)
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value)
}

const textOf = (page: Page) => page.locator('main').textContent()

describe.each([true, false])('with script enabled: %s, a person', (javaScriptEnabled) => {
  test('signs up, out, is refused, and signs in by Enter, without one complaint of the browser', async () => {
    const context = await browser.newContext({ javaScriptEnabled, viewport: { width: 360, height: 640 } })
    const { page, complaints } = await open(context)
    const email = newEmail()
    await fill(page, '/sign-up', { 'E-mail': email, Name: 'Zoë', Password: 'short' })
    await page.getByRole('button', { name: 'Sign up' }).click()
    expect(await textOf(page)).toContain('It needs at least 15.')
    expect(await page.getByLabel('E-mail').inputValue()).toBe(email)
    expect(await page.getByLabel('Password').inputValue()).toBe('')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByLabel('Password').press('Enter')
    await page.waitForURL(`${server.origin}/`)
    expect(await textOf(page)).toContain(email)

    await page.getByRole('link', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
    expect((await context.cookies()).map(({ name }) => name)).toEqual(['__Host-device'])

    await page.getByRole('link', { name: 'Sign in again' }).click()
    await page.getByLabel('E-mail').fill(email)
    await page.getByLabel('Password').fill('grumpy-heron-77-window')
    await page.getByLabel('Password').press('Enter')
    expect(await page.getByRole('alert').textContent()).toBe('The address or the password is wrong.')
    expect(await page.getByLabel('E-mail').inputValue()).toBe(email)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByLabel('Password').press('Enter')
    await page.waitForURL(`${server.origin}/`)
    expect(await textOf(page)).toContain(email)
    expect(complaints).toEqual([])
    await context.close()
  })
})

describe('a page', () => {
  test.each(['light', 'dark'] as const)('in %s fits every width from 320 px, and labels each of its fields', async (colorScheme) => {
    const context = await browser.newContext({ colorScheme })
    const { page, complaints } = await open(context)
    for (const path of ['/', '/sign-in', '/sign-up', '/sign-out', '/sign-in?interaction=x', '/dev/mailbox']) {
      await page.goto(`${server.origin}${path}`)
      for (const width of [320, 360, 768, 1400]) {
        await page.setViewportSize({ width, height: 700 })
        expect([path, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([path, width])
      }
      const unlabelled = await page.locator('input:not([type=hidden])').evaluateAll((inputs) => {
        return inputs.filter((input) => (input as HTMLInputElement).labels?.length !== 1).length
      })
      expect([path, unlabelled, await page.locator('h1').count(), await page.locator('button.act').count()]).toEqual([
        path,
        0,
        1,
        path === '/sign-in' || path === '/sign-up' ? 1 : 0,
      ])
    }
    expect(complaints).toEqual([])
    await context.close()
  })

  test('has its style: the policy takes the nonce', async () => {
    const context = await browser.newContext()
    const { page } = await open(context)
    await page.goto(`${server.origin}/sign-in`)
    expect(await page.locator('button.act').evaluate((button) => getComputedStyle(button).backgroundColor)).toBe('rgb(11, 87, 208)')
    await context.close()
  })
})
