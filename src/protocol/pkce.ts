// Proof Key for Code Exchange (RFC 7636): S256 only, for a plain challenge is the verifier itself.

/** base64url of a SHA-256: 43 characters. */
const challenge = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
/** 43 to 128 unreserved characters (RFC 7636 4.1). */
const verifier = /^[A-Za-z0-9\-._~]{43,128}$/

export const isCodeChallenge = (text: string): boolean => challenge.test(text)

export const isCodeVerifier = (text: string): boolean => verifier.test(text)
