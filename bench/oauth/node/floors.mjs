// The RS256 floor on Node: a server of `node:http` that signs once for each request. Ends with its parent.
import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'

const PADDING = 'x'.repeat(380)
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  const access_token = PADDING + sign('sha256', Buffer.from(PADDING), privateKey).toString('base64url')
  const body = JSON.stringify({ access_token, token_type: 'Bearer', expires_in: 300, read: text.length })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
})
server.keepAliveTimeout = 60_000
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
process.send({ port: server.address().port })
process.on('disconnect', () => process.exit())
