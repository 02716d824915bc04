/** A failure that is the person's to mend: its sentence is all that is shown. */
export class Refusal extends Error {}

/** Without the characters that would steer a terminal, or turn the direction of a line: what a server says is text. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 500)
