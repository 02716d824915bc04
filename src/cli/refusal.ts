/** A failure that is the person's to mend: its sentence is all that is shown. */
export class Refusal extends Error {}

/** Without the characters that would steer a terminal: what a server says is text. */
export const plain = (text: string): string => text.replace(/\p{Cc}/gu, ' ').slice(0, 500)
