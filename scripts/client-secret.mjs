// Makes a client secret: the client keeps it, clients.toml holds its hash. Nothing is stored or sent.
import { createHash, randomBytes } from 'node:crypto'

const secret = `sps_${randomBytes(32).toString('base64url')}`
const hash = createHash('sha256').update(secret).digest('base64url')

console.log(`client_secret        ${secret}`)
console.log(`client_secret_sha256 ${hash}`)
console.error('\nGive the first to the client; it is not shown again. Write the second into clients.toml: client_secret_sha256 = ["..."]')
