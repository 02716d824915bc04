/** Seconds for which a client that does not answer is tried again. */
export const LOGOUT_RETRY_SECONDS = 86_400

const FIRST_WAIT = 2
const LONGEST_WAIT = 3600

/** Seconds until the next try, after so many that have failed: doubling from two seconds to an hour. */
export const logoutWait = (tries: number): number => Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.max(0, tries - 1))
