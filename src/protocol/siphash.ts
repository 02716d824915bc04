// SipHash-2-4 with a 64-bit result (Aumasson and Bernstein, 2012), in 32-bit halves: no BigInt, no garbage.

/** A SipHash key as four words: the halves of k0 and k1, each low half first. */
export type SipHashKey = Uint32Array

/** The key in 16 bytes, read as the reference implementation does. Throws RangeError for another length. */
export function readSipHashKey(bytes: Uint8Array): SipHashKey {
  if (bytes.length !== 16) throw new RangeError('a SipHash key has 16 bytes')
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  return Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at, true))
}

const encoder = new TextEncoder()
const SCRATCH_SIZE = 2048
const scratch = new Uint8Array(SCRATCH_SIZE)

/** The hash of one byte (`tag`) and the UTF-8 of `text`: writes the high word to `out[at]`, the low word to `out[at + 1]`. */
export function sipHashText(key: SipHashKey, tag: number, text: string, out: Uint32Array, at = 0): void {
  // At most three bytes for each UTF-16 unit.
  const message = text.length * 3 < SCRATCH_SIZE ? scratch : new Uint8Array(text.length * 3 + 1)
  message[0] = tag
  sipHash(key, message, writeUtf8(text, message), out, at)
}

/** Writes the text behind the first byte; answers where it ends. Ids are ASCII: an encoder, and a view for it, would cost more than the hash. */
function writeUtf8(text: string, message: Uint8Array): number {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code > 0x7f) return encoder.encodeInto(text, message.subarray(1)).written + 1
    message[at + 1] = code
  }
  return text.length + 1
}

/** The hash of the first `length` bytes: writes the high word to `out[at]`, the low word to `out[at + 1]`. */
export function sipHash(key: SipHashKey, bytes: Uint8Array, length: number, out: Uint32Array, at = 0): void {
  const k0l = key[0] ?? 0
  const k0h = key[1] ?? 0
  const k1l = key[2] ?? 0
  const k1h = key[3] ?? 0
  let v0l = k0l ^ 0x70736575
  let v0h = k0h ^ 0x736f6d65
  let v1l = k1l ^ 0x6e646f6d
  let v1h = k1h ^ 0x646f7261
  let v2l = k0l ^ 0x6e657261
  let v2h = k0h ^ 0x6c796765
  let v3l = k1l ^ 0x79746573
  let v3h = k1h ^ 0x74656462
  const whole = length >>> 3
  // Two rounds a step: one step for each block, one for the last bytes and the length, two to finish. So the round stands here once.
  for (let step = 0; step < whole + 3; step++) {
    let ml = 0
    let mh = 0
    if (step <= whole) {
      const from = step << 3
      ml = word(bytes, from, length)
      mh = word(bytes, from + 4, length)
      if (step === whole) mh |= length << 24
    } else if (step === whole + 1) v2l ^= 0xff
    v3l ^= ml
    v3h ^= mh
    for (let round = 0; round < 2; round++) {
      let l = (v0l + v1l) | 0
      v0h = (v0h + v1h + (l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0
      v0l = l
      l = (v2l + v3l) | 0
      v2h = (v2h + v3h + (l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0
      v2l = l
      l = v1l
      v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0l
      v1h = ((v1h << 13) | (l >>> 19)) ^ v0h
      l = v3l
      v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l
      v3h = ((v3h << 16) | (l >>> 16)) ^ v2h
      l = v0l
      v0l = v0h
      v0h = l
      l = (v2l + v1l) | 0
      v2h = (v2h + v1h + (l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0
      v2l = l
      l = (v0l + v3l) | 0
      v0h = (v0h + v3h + (l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0
      v0l = l
      l = v1l
      v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2l
      v1h = ((v1h << 17) | (l >>> 15)) ^ v2h
      l = v3l
      v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l
      v3h = ((v3h << 21) | (l >>> 11)) ^ v0h
      l = v2l
      v2l = v2h
      v2h = l
    }
    v0l ^= ml
    v0h ^= mh
  }
  out[at] = v0h ^ v1h ^ v2h ^ v3h
  out[at + 1] = v0l ^ v1l ^ v2l ^ v3l
}

/** Four bytes, low one first; those past the end are zero. */
function word(bytes: Uint8Array, from: number, length: number): number {
  let value = 0
  for (let i = from; i < from + 4 && i < length; i++) value |= (bytes[i] ?? 0) << ((i - from) << 3)
  return value
}
