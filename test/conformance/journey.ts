/** A person's way through the pages of the issuer, form by form as a browser without script goes it. */
import type { Client, Reply } from '../support/node/http.ts'

export type Credentials = { email: string; password: string }

/** What was shown on the way (`sign-in`, `consent`, `logout`), the last answer, and the address outside that it leads to, if it does. */
export type Arrival = { shown: string[]; pages: Reply<unknown>[]; last: Reply<unknown>; url: URL | null }

type Form = { action: string; fields: URLSearchParams }

const ENTITIES: Record<string, string> = { '&amp;': '&', '&quot;': '"', '&#39;': "'", '&lt;': '<', '&gt;': '>' }
const unescaped = (text: string) => text.replace(/&(?:amp|quot|#39|lt|gt);/g, (entity) => ENTITIES[entity] ?? entity)

const attribute = (tag: string, name: string) => unescaped(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? '')

/** The one form of a page that posts, with its hidden fields. */
export function formIn(page: Reply<unknown>): Form | null {
  const [tag, body] = /<form [^>]*method="post"[^>]*>([\s\S]*?)<\/form>/.exec(page.text) ?? []
  if (tag === undefined || body === undefined) return null
  const hidden = body.match(/<input [^>]*type="hidden"[^>]*>/g) ?? []
  const fields = new URLSearchParams(hidden.map((input): [string, string] => [attribute(input, 'name'), attribute(input, 'value')]))
  return { action: attribute(tag, 'action'), fields }
}

/** Fills in what our own forms ask; null: a form that leads elsewhere, or none. */
function fillIn(form: Form | null, who: Credentials): { page: string; form: Form } | null {
  if (form?.action === '/sign-in') {
    form.fields.set('email', who.email)
    form.fields.set('password', who.password)
    return { page: 'sign-in', form }
  }
  if (form?.action === '/consent') {
    form.fields.set('decision', 'allow')
    return { page: 'consent', form }
  }
  return form?.action === '/oauth/logout' ? { page: 'logout', form } : null
}

const MOST_STEPS = 10

/** Goes on from an answer: follows what stays here, signs in, allows, confirms, until the way leads out or a page asks nothing more. */
export async function follow(person: Client, first: Reply<unknown>, who: Credentials): Promise<Arrival> {
  const shown: string[] = []
  const pages: Reply<unknown>[] = []
  let last = first
  for (let step = 0; step < MOST_STEPS; step++) {
    const { location } = last.headers
    if (location !== undefined) {
      const url = new URL(location, person.origin)
      if (url.origin !== person.origin) return { shown, pages, last, url }
      last = await person.get(url.href)
      continue
    }
    const next = last.status === 200 ? fillIn(formIn(last), who) : null
    if (!next) return { shown, pages, last, url: null }
    shown.push(next.page)
    pages.push(last)
    last = await person.post(next.form.action, next.form.fields, { origin: person.origin })
  }
  throw new Error(`the way does not end: ${shown.join(', ')}`)
}

/** The same from a path of the issuer. */
export const visit = async (person: Client, path: string, who: Credentials): Promise<Arrival> => follow(person, await person.get(path), who)
