/** Who is signed in, as `GET /api/session` says it. Times are integer seconds since 1970. */
export type Session = {
  sub: string
  sid: string
  email: string
  name: string | null
  roles: string[]
  auth_time: number
  acr: string
  amr: string[]
  created_at: number
  expires_at: number
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isTime = (value: unknown): value is number => typeof value === 'number'
const isTextList = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText)

/** The session in an answer of the service; null when it is none. */
export function readSession(answer: unknown): Session | null {
  if (typeof answer !== 'object' || answer === null) return null
  const { sub, sid, email, name, roles, auth_time, acr, amr, created_at, expires_at }: { [member in keyof Session]?: unknown } = answer
  if (!isText(sub) || !isText(sid) || !isText(email) || !isText(acr) || (name !== null && !isText(name))) return null
  if (!isTextList(roles) || !isTextList(amr)) return null
  if (!isTime(auth_time) || !isTime(created_at) || !isTime(expires_at)) return null
  return { sub, sid, email, name, roles, auth_time, acr, amr, created_at, expires_at }
}
