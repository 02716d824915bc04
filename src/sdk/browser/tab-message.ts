import type { HeldToken } from './held-token.ts'

/** What happened to the session of this browser. */
export type SessionChange = 'signed-in' | 'signed-out'

/**
 * What tabs of one origin tell each other. An era lasts from one sign-in or sign-out to the next, and is a number that only grows: whatever
 * comes from an earlier one is void, because messages of different tabs arrive in no order.
 *
 * `hello` asks for what others hold, `here` answers it, `token` offers a new one; `key` says for which audience and scope.
 */
export type TabMessage =
  | { type: 'hello'; from: string; key: string }
  | { type: 'here'; from: string; key: string; era: number; token: HeldToken | null }
  | { type: 'token'; from: string; key: string; era: number; token: HeldToken }
  | { type: 'change'; from: string; era: number; change: SessionChange }
  | { type: 'bye'; from: string }
