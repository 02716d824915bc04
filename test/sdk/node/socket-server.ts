// The server's side of RFC 6455, as far as a test of a client needs it: no fragments, no extensions.

import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

const TEXT = 1
const BINARY = 2
const CLOSE = 8

export type ServerSocket = { send(bytes: Uint8Array): void; close(code: number): void; destroy(): void }

/** Answers an upgrade, and calls `onText` for every text message. */
export function acceptSocket(request: IncomingMessage, socket: Socket, onText: (text: string) => void): ServerSocket {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash('sha1').update(key).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  socket.on('error', () => {})
  let held = Buffer.alloc(0)
  socket.on('data', (data) => {
    held = Buffer.concat([held, data])
    for (let frame = readFrame(held); frame !== null; frame = readFrame(held)) {
      held = held.subarray(frame.size)
      if (frame.opcode === TEXT) onText(frame.payload.toString())
      if (frame.opcode === CLOSE) socket.end(frameOf(CLOSE, frame.payload))
    }
  })
  return {
    send: (bytes) => void socket.write(frameOf(BINARY, bytes)),
    close: (code) => void socket.end(frameOf(CLOSE, Buffer.from([code >> 8, code & 255]))),
    destroy: () => socket.destroy(),
  }
}

function frameOf(opcode: number, payload: Uint8Array): Buffer {
  const header = payload.length < 126 ? Buffer.from([128 | opcode, payload.length]) : Buffer.alloc(payload.length < 65_536 ? 4 : 10)
  if (payload.length >= 126) {
    header[0] = 128 | opcode
    header[1] = payload.length < 65_536 ? 126 : 127
    if (payload.length < 65_536) header.writeUInt16BE(payload.length, 2)
    else header.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  return Buffer.concat([header, payload])
}

/** A client's frame is masked, and short here: a cursor or a close. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | null {
  const [first = 0, second = 0] = bytes
  const length = second & 127
  const size = 6 + length
  if (bytes.length < 2 || bytes.length < size) return null
  const mask = bytes.subarray(2, 6)
  const payload = Buffer.from(bytes.subarray(6, size).map((byte, at) => byte ^ (mask[at & 3] ?? 0)))
  return { opcode: first & 15, payload, size }
}
