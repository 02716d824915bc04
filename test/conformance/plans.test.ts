import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../../scripts/toolchain.mjs'

/** The plans of the OpenID conformance suite and their modules, without the prefix `oidcc-`. */
const PLANS = {
  'oidcc-basic-certification-test-plan':
    'server response-type-missing idtoken-signature idtoken-unsigned userinfo-get userinfo-post-header userinfo-post-body ' +
    'ensure-request-without-nonce-succeeds-for-code-flow scope-profile scope-email scope-address scope-phone scope-all ' +
    'alternate-happy-flow display-page display-popup prompt-login prompt-none-not-logged-in prompt-none-logged-in max-age-1 ' +
    'max-age-10000 ensure-request-with-unknown-parameter-succeeds id-token-hint login-hint ui-locales claims-locales ' +
    'ensure-request-with-acr-values-succeeds codereuse codereuse-30seconds ensure-registered-redirect-uri ensure-post-request-succeeds ' +
    'server-client-secret-post request-uri-unsigned-supported-correctly-or-rejected-as-unsupported ' +
    'unsigned-request-object-supported-correctly-or-rejected-as-unsupported claims-essential ' +
    'ensure-request-object-with-redirect-uri refresh-token ensure-request-with-valid-pkce-succeeds',
  'oidcc-config-certification-test-plan': 'discovery-endpoint-verification',
  'oidcc-rp-initiated-logout-certification-test-plan':
    'rp-initiated-logout-discovery-endpoint-verification rp-initiated-logout rp-initiated-logout-bad-post-logout-redirect-uri ' +
    'rp-initiated-logout-modified-id-token-hint rp-initiated-logout-no-id-token-hint rp-initiated-logout-no-params ' +
    'rp-initiated-logout-no-post-logout-redirect-uri rp-initiated-logout-no-state rp-initiated-logout-only-state ' +
    'rp-initiated-logout-query-added-to-post-logout-redirect-uri rp-initiated-logout-bad-id-token-hint',
  'oidcc-backchannel-rp-initiated-logout-certification-test-plan':
    'backchannel-logout-discovery-endpoint-verification backchannel-rp-initiated-logout',
}

const folder = path.join(ROOT, 'test/conformance')

async function sources(ending: string): Promise<string> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(ending) && file !== 'plans.test.ts')
  return (await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')))).join('\n')
}

test.each(Object.entries(PLANS))('every module of %s is a test of that name, once', async (plan, names) => {
  const text = await sources('.test.ts')
  expect(text).toContain(`describe('${plan}'`)
  const modules = names.split(' ').map((name) => `oidcc-${name}`)
  const found = modules.map((name) => [name, text.match(new RegExp(`(?:test\\(|\\[)'${name}',`, 'g'))?.length ?? 0])
  expect(found).toEqual(modules.map((name) => [name, 1]))
})

test('the plans are whole', () => {
  expect(Object.values(PLANS).map((names) => names.split(' ').length)).toEqual([38, 1, 11, 2])
})

test('the table names files that exist', async () => {
  const named = [...(await sources('README.md')).matchAll(/`((?:test\/)?[\w/.-]+\.test\.ts)`/g)].map(([, file = '']) => file)
  expect(named.length).toBeGreaterThan(20)
  const missing = await Promise.all(
    [...new Set(named)].map((file) => {
      const place = file.startsWith('test/') ? path.join(ROOT, file) : path.join(folder, file)
      return readFile(place).then(
        () => null,
        () => file,
      )
    }),
  )
  expect(missing.filter((file) => file !== null)).toEqual([])
})
