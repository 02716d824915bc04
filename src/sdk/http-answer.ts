// An answer of the issuer over HTTP, limited in size, type and place.

/** The parts of a `Response` that are read. */
export type HttpAnswer = Pick<Response, 'status' | 'headers' | 'body'>

/**
 * The body of a 200 of one of the `types`, at most `limit` bytes; everything else rejects, naming `url`. A redirect is no answer: the keys
 * would then be those of whoever it leads to.
 */
export async function readAnswer(
  { status, headers, body }: HttpAnswer,
  url: string,
  types: readonly string[],
  limit: number,
): Promise<Uint8Array> {
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (status !== 200 || type === undefined || !types.includes(type) || body === null) {
    void body?.cancel().catch(() => {})
    throw new Error(`${url}: ${status} ${type}`)
  }
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  // Leaving it cancels the rest.
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
    if (size > limit) throw new Error(`${url}: too large`)
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}
