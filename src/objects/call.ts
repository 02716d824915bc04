/** What a stub's error says of itself (Durable Objects, "Error handling"). */
type ObjectError = { retryable?: boolean; overloaded?: boolean; remote?: boolean }

/** An object that could not be reached, or did not answer: 503 with Retry-After to the caller, never a guess. */
export class ObjectUnavailable extends Error {
  override name = 'ObjectUnavailable'
}

/** Where tests inject faults: called before and after each try of each call. Never set in production code. */
export const callHook: { before?: (label: string) => void | Promise<void>; after?: (label: string) => void | Promise<void> } = {}

/**
 * The one way to call an object. A stub is broken after most errors, so each try makes a fresh one; `overloaded` is never retried.
 * Only calls that are `repeatable` are tried again: those whose second arrival has the same effect and answer as the first.
 */
export async function call<Stub, T>(
  label: string,
  open: () => Stub,
  use: (stub: Stub) => Promise<T>,
  { repeatable = true }: { repeatable?: boolean } = {},
): Promise<T> {
  for (let tries = repeatable ? 2 : 1; ; tries--) {
    try {
      if (callHook.before) await callHook.before(label)
      const answer = await use(open())
      if (callHook.after) await callHook.after(label)
      return answer
    } catch (cause) {
      const { retryable, overloaded } = (cause instanceof Error ? cause : {}) as ObjectError
      if (tries > 1 && retryable === true && overloaded !== true) continue
      throw new ObjectUnavailable(label, { cause })
    }
  }
}
