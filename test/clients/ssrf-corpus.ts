// URLs that must never be fetched for a stranger, and some that may be. Each private address in every spelling that a URL parser, a
// resolver or a list of names could read differently.

const PRIVATE_IPV4 = [
  '0.0.0.0',
  '10.0.0.1',
  '10.255.255.254',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.1',
  '172.31.255.254',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '192.168.255.254',
  '198.18.0.1',
  '198.19.255.254',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
]

const PRIVATE_IPV6 = [
  '::',
  '::1',
  '0:0:0:0:0:0:0:1',
  '0000:0000:0000:0000:0000:0000:0000:0001',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'fc00::1',
  'fd00:ec2::254',
  'fdff:ffff::1',
  'ff02::1',
  '100::1',
  '2001::1',
  '2001:0:53aa:64c::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '3fff::1',
  '5f00::1',
  '4000::1',
]

const PRIVATE_NAMES = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  'localhost.localdomain',
  'foo.localhost',
  'foo.localhost.',
  'printer.local',
  'printer.local.',
  'metadata.google.internal',
  'METADATA.GOOGLE.INTERNAL',
  'instance-data',
  'metadata',
  'router.lan',
  'router.home',
  'nas.home.arpa',
  '1.0.0.127.in-addr.arpa',
  'wiki.corp',
  'wiki.intranet',
  'wiki.private',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  'hidden.onion',
  'com',
  'a..example.com',
  'example.com.',
  '%6cocalhost',
  'ｌｏｃａｌｈｏｓｔ',
  'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ',
  'local\u00adhost',
  'localhost%00.example.com',
  'localhost%2eexample',
]

const octetsOf = (address: string): number[] => address.split('.').map(Number)
const numberOf = (address: string): number => octetsOf(address).reduce((value, octet) => value * 256 + octet, 0)
const hex = (value: number, width = 0) => value.toString(16).padStart(width, '0')

/** Every spelling of an IPv4 address that the URL standard or an old C library takes. */
function spellings(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = octetsOf(address)
  const number = numberOf(address)
  return [
    address,
    `${address}.`,
    String(number),
    `0x${hex(number, 8)}`,
    `0X${hex(number, 8)}`,
    `0${number.toString(8)}`,
    `${a}.${b * 65_536 + c * 256 + d}`,
    `${a}.${b}.${c * 256 + d}`,
    `0x${hex(a)}.0x${hex(b)}.0x${hex(c)}.0x${hex(d)}`,
    `0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}`,
    `00000${a.toString(8)}.${b}.${c}.${d}`,
    [...address].map((it) => (it === '.' ? '。' : String.fromCharCode(it.charCodeAt(0) + 0xfee0))).join(''),
    `%3${Math.floor(a / 100)}${address.slice(1)}`,
    `${a}.${b}.${c}.${d + 256}`,
  ]
}

/** An IPv4 address inside of IPv6: mapped, compatible, translated, NAT64 (both), 6to4, ISATAP, as digits and as hex. */
function carried(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = octetsOf(address)
  const groups = `${hex(a * 256 + b)}:${hex(c * 256 + d)}`
  return [
    `::ffff:${address}`,
    `::ffff:${groups}`,
    `0:0:0:0:0:ffff:${groups}`,
    `::FFFF:${address}`,
    `::${address}`,
    `::ffff:0:${address}`,
    `64:ff9b::${address}`,
    `64:ff9b:1::${address}`,
    `2002:${groups}::1`,
    `fe80::5efe:${address}`,
  ]
}

const hosts = [
  ...PRIVATE_IPV4.flatMap(spellings),
  ...[...PRIVATE_IPV6, ...PRIVATE_IPV4.flatMap(carried)].map((address) => `[${address}]`),
  '[::1%25lo0]',
  '[::1]x',
  '[127.0.0.1]',
  ...PRIVATE_NAMES,
]

/** Never fetched in production. */
export const FORBIDDEN: readonly string[] = [
  ...hosts.map((host) => `https://${host}/client.json`),
  ...['127.0.0.1', '[::1]', 'localhost', '169.254.169.254', 'shop.example.com'].flatMap((host) => [
    `http://${host}/client.json`,
    `http://${host}:8080/client.json`,
    `//${host}/client.json`,
    `${host}/client.json`,
    `https:${host}/client.json`,
    `https:/${host}/client.json`,
    `https:///${host}/client.json`,
    `https:\\\\${host}\\client.json`,
    `ftp://${host}/client.json`,
    `gopher://${host}:70/_x`,
    `ws://${host}/`,
    `blob:https://${host}/x`,
    `view-source:https://${host}/`,
    `https://shop.example.com@${host}/client.json`,
    `https://shop.example.com:x@${host}/client.json`,
    `https://shop.example.com#@${host}/client.json`,
    `https://shop.example.com\\@${host}/client.json`,
    `https://${host}:22/client.json`,
    `https://${host}:8443/client.json`,
    `https://${host}:0/client.json`,
    `https://${host}:65536/client.json`,
    ` https://${host}/client.json`,
    `https://${host}/client.json\n`,
    `https://${host}/\tclient.json`,
    `https://${host}/client.json#x`,
    `https://${host}/a/../client.json`,
  ]),
  'https://auth.example.com/oauth/authorize',
  'https://AUTH.example.com/',
  'file:///etc/passwd',
  'data:application/json,{}',
  'javascript:alert(1)',
  'about:blank',
  '',
  'x',
  'https://',
  'https://?',
  'https://.',
  'https://..',
  `https://shop.example.com/${'a'.repeat(2048)}`,
]

/** May be fetched in production. */
export const ALLOWED: readonly string[] = [
  'https://shop.example.com/client.json',
  'https://shop.example.com/client.json?v=1',
  'https://xn--bcher-kva.example/client.json',
  'https://9.9.9.9/client.json',
  'https://172.32.0.1/client.json',
  'https://100.128.0.1/client.json',
  'https://[2606:4700::1111]/client.json',
  'https://[2001:4860:4860::8888]/client.json',
  'https://localhost.example.com/client.json',
  'https://local.example/client.json',
]
