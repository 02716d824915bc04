// The API again, and beside it a view of the revocation list alone: built, and looked into, as often as a request asks. A Worker's clock
// stands still while it computes, so whoever asks keeps the time.
import { DENIAL_KIND_CODES } from '../../../src/protocol/denial.ts'
import { decodeFeed } from '../../../src/protocol/feed.ts'
import { DenialView } from '../../../src/sdk/denial-view.ts'
import { fingerprint, knownToken } from '../../../src/sdk/known-token.ts'
import app from './api.js'

/** So many tokens are looked up in turn: more than fit the processor's caches with what they hit. */
const TOKENS = 20_000

let bytes
let view
let tokens

const randomId = () => crypto.getRandomValues(new Uint8Array(16)).toBase64({ alphabet: 'base64url', omitPadding: true })

app.post('/view/snapshot', async (c) => {
  bytes = new Uint8Array(await c.env.SALLYPORT.revocations(null))
  return c.json({ bytes: bytes.length })
})

app.post('/view/build/:times', (c) => {
  for (let times = Number(c.req.param('times')); times > 0; times--) {
    view = new DenialView()
    if (view.apply(decodeFeed(bytes), Date.now(), null) !== 'applied') throw new Error('not applied')
  }
  return c.json({})
})

app.post('/view/tokens', (c) => {
  const { key } = decodeFeed(bytes).header
  const kid = randomId()
  const words = new Uint32Array(new Uint8Array(key).buffer)
  tokens = Array.from({ length: TOKENS }, () => {
    const claims = { sub: randomId(), sid: randomId(), jti: randomId(), client_id: 'first-party', iat: 4_000_000_000, ver: 0 }
    const token = knownToken(claims, { kid })
    fingerprint(token, words)
    return token
  })
  return c.json({ kinds: Object.keys(DENIAL_KIND_CODES) })
})

/** `again`: nothing was added since the last check of the same token. */
app.post('/view/check/:how/:times', (c) => {
  const now = Math.floor(Date.now() / 1000)
  const again = c.req.param('how') === 'again'
  let clean = 0
  for (let times = Number(c.req.param('times')); times > 0; times--) {
    const token = tokens[times % TOKENS]
    if (!again) token.cleanAt = -1
    if (view.check(token, now) === 'clean') clean += 1
  }
  return c.json({ clean })
})

app.post('/view/forget', (c) => {
  bytes = undefined
  if (c.req.query('view')) view = undefined
  return c.json({})
})

app.post('/view/nudge', (c) => c.json({}))

export default app
