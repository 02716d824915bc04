/** What a replay memory knows a proof by: SHA-256 of its `jti`, whatever a stranger wrote there. */
export function replayDigest(jti: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', new TextEncoder().encode(jti))
}
