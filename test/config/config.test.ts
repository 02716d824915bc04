import { describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'

const SECRET = 'a-secret-of-at-least-thirty-two-characters'
const production = { ISSUER: 'https://auth.example.com', SALLYPORT_SECRET: SECRET, SIGN_UP: 'immediate' }
const development = { ...production, SALLYPORT_ENV: 'development', ISSUER: 'http://localhost:8787' }

describe('configuration', () => {
  test('needs an issuer, a secret and a named choice of sign-up', () => {
    expect(readConfig(production)).toMatchObject({
      ok: true,
      config: { development: false, lab: false, audiences: ['https://auth.example.com'] },
    })
    for (const variable of ['ISSUER', 'SALLYPORT_SECRET', 'SIGN_UP'] as const) {
      expect(readConfig({ ...production, [variable]: undefined })).toMatchObject({ ok: false, problem: { variable } })
      expect(readConfig({ ...production, [variable]: '' })).toMatchObject({ ok: false, problem: { variable } })
    }
  })

  test.each([
    ['ISSUER', 'https://auth.example.com/'],
    ['ISSUER', 'https://auth.example.com/path'],
    ['ISSUER', 'http://auth.example.com'],
    ['ISSUER', 'http://localhost:8787'],
    ['ISSUER', 'auth.elsewhere.test'],
    ['ISSUER', 'https://user@auth.example.com'],
    ['SALLYPORT_SECRET', 'short'],
    ['SALLYPORT_SECRET', `${SECRET},short`],
    ['ADMIN_TOKEN', 'short'],
    ['SIGN_UP', 'verified'],
    ['SIGN_UP', 'yes'],
    ['AUDIENCES', 'not a uri'],
    ['AUDIENCES', 'https://api.example.com#x'],
    ['SCOPES', 'a  b'],
    ['ALLOWED_ORIGINS', 'https://app.example.com/'],
    ['ALLOWED_ORIGINS', '*'],
    ['SIGNING_ALG', 'HS256'],
    ['LAB', 'yes'],
    ['CLI_CLIENT', 'false'],
  ])('%s = %j is refused by name, and never repeated', (variable, value) => {
    const read = readConfig({ ...production, [variable]: value })
    expect(read).toMatchObject({ ok: false, problem: { variable } })
    if (!read.ok && value.length > 4 && value !== 'verified') expect(read.problem.remedy).not.toContain(value)
  })

  test('development is exactly "development"', () => {
    expect(readConfig(development)).toMatchObject({ ok: true, config: { development: true, lab: true } })
    for (const SALLYPORT_ENV of ['dev', 'Development', 'production', 'test']) {
      expect(readConfig({ ...production, SALLYPORT_ENV })).toMatchObject({ ok: true, config: { development: false } })
    }
  })

  test('in development the issuer may be http, on loopback only', () => {
    expect(readConfig({ ...development, ISSUER: 'http://192.168.1.5:8787' })).toMatchObject({ ok: false, problem: { variable: 'ISSUER' } })
    expect(readConfig({ ...development, ISSUER: 'http://[::1]:8787' })).toMatchObject({ ok: true })
  })

  test('lists are split at commas and the issuer is the first audience', () => {
    const read = readConfig({
      ...production,
      AUDIENCES: ' https://a.example , urn:b ',
      SCOPES: 'notes:read account',
      SALLYPORT_SECRET: `${SECRET}-new, ${SECRET}`,
    })
    expect(read).toMatchObject({
      config: {
        audiences: ['https://auth.example.com', 'https://a.example', 'urn:b'],
        scopes: ['account', 'notes:read'],
        secrets: [`${SECRET}-new`, SECRET],
      },
    })
  })

  test('the client of the command is there unless it is switched off', () => {
    expect(readConfig(production)).toMatchObject({ config: { cliClient: true } })
    expect(readConfig({ ...production, CLI_CLIENT: 'off' })).toMatchObject({ config: { cliClient: false } })
  })

  test('is frozen', () => {
    const read = readConfig(production)
    expect(read.ok && Object.isFrozen(read.config)).toBe(true)
  })
})
