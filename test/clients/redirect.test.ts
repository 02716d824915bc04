import { describe, expect, test } from 'vitest'
import { matchRedirect } from '../../src/clients/redirect.ts'
import { createRandom, type Random } from '../proof/random.ts'

const REGISTERED = [
  'https://shop.example.com/callback',
  'https://shop.example.com/callback?tenant=one',
  'https://shop.example.com/a/b-c/callback/',
  'https://shop.example.com',
  'https://xn--bcher-kva.example/cb',
  'https://shop.example.com:8443/cb',
  'http://127.0.0.1/cb',
  'http://127.0.0.1:4711/cb?x=1',
  'http://[::1]:4711/cb',
  'http://localhost:3000/cb',
  'com.example.app:/callback',
]
const match = (given: string) => matchRedirect({ redirect_uris: REGISTERED }, given)

type Mutate = (uri: string, random: Random) => string

const at = (text: string, index: number, put: string, cut = 0) => text.slice(0, index) + put + text.slice(index + cut)
const anywhere = (uri: string, random: Random) => random.int(0, uri.length)
const ofHost = (uri: string, change: (host: string) => string) =>
  uri.replace(/^(\w+:\/\/)([^/?]+)/, (_, scheme: string, host: string) => scheme + change(host))
const ofPath = (uri: string, change: (path: string) => string) =>
  uri.replace(/^(\w+:\/\/[^/?]+|[\w.]+:)([^?]*)/, (_, front: string, path: string) => front + change(path))

const MUTATIONS: readonly Mutate[] = [
  (uri) => uri.toUpperCase(),
  (uri, random) => {
    const { index, 0: letter } = random.pick([...uri.matchAll(/[a-zA-Z]/g)])
    return at(uri, index, letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase(), 1)
  },
  (uri, random) => {
    const { index, 0: letter } = random.pick([...uri.matchAll(/[a-zA-Z/.]/g)])
    return at(uri, index, `%${letter.charCodeAt(0).toString(16)}`, 1)
  },
  (uri, random) =>
    at(uri, anywhere(uri, random), random.pick([' ', '\t', '\n', '\r', '\u0000', '\u00a0', '\u200b', '\u202e', '\ufeff', '\\'])),
  (uri, random) => at(uri, anywhere(uri, random), random.pick(['.', '/', '..', '//', '%2f', '%2e', '%00', '%0a', '*', '@', ';', '|'])),
  (uri, random) => at(uri, random.int(0, uri.length - 1), '', random.int(1, 4)),
  (uri, random) =>
    uri + random.pick(['/', '//', '.', '/.', '/..', '/../', '/%2e%2e', '#', '#x', '?', '?x=1', '&', '&x=1', ';x', '%20', '/*']),
  (uri, random) => ofPath(uri, (path) => random.pick(['/x/..', '/.', '//', '/%2e', '/x/%2e%2e', '\\']) + path),
  (uri, random) => ofPath(uri, (path) => path + random.pick(['/', '/./', 'x', '/evil', ';x=1', '%2f', '\\evil'])),
  (uri, random) =>
    ofHost(
      uri,
      (host) => random.pick(['evil.', 'user@', 'user:pass@', 'evil.example@', '@', 'evil.example\\@', 'evil.example#@', 'x-']) + host,
    ),
  (uri, random) =>
    ofHost(uri, (host) => host + random.pick(['.', '.evil.example', '@evil.example', '\\.evil.example', '%00.evil.example', '-x'])),
  (uri) => ofHost(uri, () => 'evil.example'),
  (uri, random) =>
    ofHost(uri, () =>
      random.pick([
        '127.1',
        '2130706433',
        '0x7f.1',
        '0177.0.0.1',
        '127.0.0.2',
        '[::ffff:127.0.0.1]',
        '[0:0:0:0:0:0:0:1]',
        'localhost',
        '0.0.0.0',
      ]),
    ),
  (uri, random) =>
    uri.replace(/^[\w.]+:/, () =>
      random.pick([
        'http:',
        'https:',
        'HTTPS:',
        'javascript:',
        'data:',
        'ftp:',
        '//',
        'evil.app:',
        'com.example.app.evil:',
        'view-source:https:',
      ]),
    ),
  (uri, random) => (uri.includes('?') ? uri : `${uri}?`) + random.pick(['&code=x', '&x[]=1', 'tenant=one', '&iss=x', '&%', '&#']),
  (uri) => uri.replace(/[?].*$/, ''),
  (uri) => `${uri}${uri}`,
  (uri) => `${uri},${uri}`,
  (uri) => encodeURIComponent(uri),
  (uri, random) => uri.replace('e', random.pick(['е', 'ｅ', 'é', 'e\u0301'])),
  (uri, random) =>
    ofHost(
      uri,
      (host) => `${host.replace(/:\d+$/, '')}:${random.pick(['', '0', '00', '99999', '-1', '4711x', '1e3', '+80', ' 80', '04711'])}`,
    ),
]

describe('a redirect URI', () => {
  test('matches itself, and nothing when nothing is registered', () => {
    for (const uri of REGISTERED) {
      expect(match(uri)).toBe(uri)
      expect(matchRedirect({ redirect_uris: [] }, uri)).toBeNull()
    }
    expect(match('')).toBeNull()
  })

  test('on a loopback literal may have any port, and is answered as it was given', () => {
    for (const uri of [
      'http://127.0.0.1:1/cb',
      'http://127.0.0.1:65535/cb',
      'http://127.0.0.1:50001/cb?x=1',
      'http://[::1]/cb',
      'http://[::1]:9/cb',
    ]) {
      expect(match(uri)).toBe(uri)
    }
  })

  test.each([
    'http://127.0.0.1:0/cb',
    'http://127.0.0.1:65536/cb',
    'http://127.0.0.1:080/cb',
    'http://127.0.0.1:/cb',
    'http://127.0.0.1:50001/cb?x=2',
    'http://127.0.0.1:50001/other',
    'http://[::1]:9/cb?x=1',
    'https://127.0.0.1:50001/cb',
    'http://localhost:3001/cb',
    'http://localhost/cb',
    'https://shop.example.com:444/callback',
    'https://shop.example.com:443/callback',
    'http://127.0.0.1:50001/cb#x',
    'http://127.0.0.1:50001/cb\n',
    'http://127.0.0.1:50001@evil.example/cb',
  ])('does not match: %j', (uri) => {
    expect(match(uri)).toBeNull()
  })

  test('of 20,000 mutations none passes that differs in more than the port of a loopback literal', () => {
    const random = createRandom(20_261_121)
    const withoutPort = (uri: string) => uri.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::\d+)?(?=[/?])/, '$1')
    const allowed = new Set(REGISTERED.map(withoutPort))
    const passed: string[] = []
    let tried = 0
    while (tried < 20_000) {
      const mutated = random.pick(MUTATIONS)(random.pick(REGISTERED), random)
      const twice = random.oneIn(3) ? random.pick(MUTATIONS)(mutated, random) : mutated
      if (REGISTERED.includes(twice)) continue
      tried += 1
      if (match(twice) !== null && !allowed.has(withoutPort(twice))) passed.push(twice)
    }
    expect(passed).toEqual([])
  })
})
