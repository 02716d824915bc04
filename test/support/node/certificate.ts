// A certificate for a server on this machine, made when a test runs: X.509 v3 in DER (RFC 5280, 4.1), signed by its own key.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export type Certificate = { /** PEM, PKCS #8. */ key: string /** PEM. */; cert: string }

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
const BOOLEAN = 0x01
const EXPLICIT_0 = 0xa0
const EXPLICIT_3 = 0xa3
/** GeneralName (RFC 5280, 4.2.1.6): `dNSName` and `iPAddress`. */
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87

/** Dotted object ids, encoded. */
const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex')
const COMMON_NAME = Buffer.from('550403', 'hex')
const SUBJECT_ALT_NAME = Buffer.from('551d11', 'hex')
const BASIC_CONSTRAINTS = Buffer.from('551d13', 'hex')

function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const utcTime = (ms: number) => der(UTC_TIME, Buffer.from(`${new Date(ms).toISOString().replace(/^\d\d|[-:T]|\.\d+/g, '')}`))

const extension = (id: Buffer, value: Buffer) => der(SEQUENCE, der(OBJECT_ID, id), der(OCTET_STRING, value))

const pem = (label: string, bytes: Buffer) =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`

/** For `localhost` and 127.0.0.1, good from yesterday until tomorrow. */
export function makeCertificate(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = der(SEQUENCE, der(OBJECT_ID, ECDSA_WITH_SHA256))
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8_STRING, Buffer.from('localhost')))))
  const day = 24 * 60 * 60 * 1000
  // Positive, and without a leading zero byte.
  const serial = Buffer.concat([Buffer.from([0x40]), randomBytes(15)])
  const names = der(SEQUENCE, der(DNS_NAME, Buffer.from('localhost')), der(IP_ADDRESS, Buffer.from([127, 0, 0, 1])))
  const isAuthority = der(SEQUENCE, der(BOOLEAN, Buffer.from([0xff])))
  const content = der(
    SEQUENCE,
    der(EXPLICIT_0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serial),
    algorithm,
    name,
    der(SEQUENCE, utcTime(Date.now() - day), utcTime(Date.now() + day)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXPLICIT_3, der(SEQUENCE, extension(BASIC_CONSTRAINTS, isAuthority), extension(SUBJECT_ALT_NAME, names))),
  )
  const signature = sign('sha256', content, privateKey)
  const cert = der(SEQUENCE, content, algorithm, der(BIT_STRING, Buffer.from([0]), signature))
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: pem('CERTIFICATE', cert) }
}
