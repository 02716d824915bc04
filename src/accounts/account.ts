/** Someone who signs in. `ver` outdates every access token issued before it was raised. Times are integer seconds. */
export type AccountRow = {
  sub: string
  email: string
  name: string | null
  roles: string[]
  ver: number
  created_at: number
  banned_at: number | null
}
