/** Characters of a stranger's text that are shown. */
const LONGEST = 80

/**
 * A stranger's text on one line: unseen, turning and line-breaking characters taken out, marks that pile up over other lines cut to two,
 * and not longer than `longest` characters.
 */
export function plainLine(text: string, longest = LONGEST): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Z}\p{Cc}]+/gu, ' ')
    .replace(/[\p{C}\p{Default_Ignorable_Code_Point}]/gu, '')
    .replace(/(\p{M}{2})\p{M}+/gu, '$1')
    .trim()
  const characters = [...line]
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : line
}

/** Text that a client chose: set apart from ours, so that it neither turns the words around it (UAX 9, isolates) nor passes for them. */
export function ClientText({ text, longest }: { text: string; longest?: number }) {
  return <bdi class="theirs">{plainLine(text, longest)}</bdi>
}
