/** What a scope-token lets a client do, said to the person whose account it is; undefined for one that only its API knows. */
const WORDS: Readonly<Record<string, string>> = {
  openid: 'Know that it is you who signs in',
  profile: 'See your name',
  email: 'See your e-mail address',
  roles: 'See your roles',
  offline_access: 'Keep its access when you have signed out, for up to 90 days',
  account: 'Manage your account: see and end your sessions, change your password',
}

export const scopeWords = (scope: string): string | undefined => (Object.hasOwn(WORDS, scope) ? WORDS[scope] : undefined)
