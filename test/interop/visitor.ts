// A person with a browser, by plain HTTP: goes wherever an app sends them, fills in our pages and presses the affirmative button.
import { type Client, createClient, type Reply } from '../support/node/http.ts'

/** Where the person ended: a page (`reply`), or an address that nobody serves, with the form that was posted there, if one was. */
export type Arrival = { url: URL; reply: Reply<unknown> | null; form: URLSearchParams | null }

export type Visitor = ReturnType<typeof createVisitor>

/** More redirects and pages than any way of ours has. */
const LONGEST_WAY = 12

/**
 * `typed`: what they type, by the field's name. Only `issuer` and `apps` are gone to; a jar an origin.
 */
export function createVisitor(issuer: string, typed: Readonly<Record<string, string>>, apps: readonly string[] = []) {
  const clients = new Map([issuer, ...apps].map((origin): [string, Client] => [origin, createClient(origin)]))

  async function visit(address: string | URL): Promise<Arrival> {
    let url = new URL(address)
    let form: URLSearchParams | null = null
    let page: URL | null = null
    for (let steps = 0; steps < LONGEST_WAY; steps++) {
      const client = clients.get(url.origin)
      if (!client) return { url, reply: null, form }
      const reply: Reply<unknown> = form
        ? await client.post(url.href, form, page ? { origin: page.origin } : {})
        : await client.get(url.href)
      const { location } = reply.headers
      if (reply.status >= 300 && reply.status < 400 && location !== undefined) {
        url = new URL(location, url)
        form = null
        continue
      }
      const next = url.origin === issuer && reply.status === 200 ? formIn(reply.text) : null
      if (!next) return { url, reply, form }
      page = url
      url = new URL(next.action, url)
      form = next.fields(typed)
    }
    throw new Error(`the way does not end: ${url}`)
  }

  return {
    visit,
    /** The client of an origin, for what no page does. */
    at(origin: string): Client {
      const client = clients.get(origin)
      if (!client) throw new Error(`${origin} is not gone to`)
      return client
    },
    close() {
      for (const client of clients.values()) client.close()
    },
  }
}

const ENTITIES: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" }

function attribute(tag: string, name: string): string | undefined {
  return new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]?.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] ?? '')
}

/** The form of one of our pages: each has one. */
function formIn(html: string) {
  const [, head = '', body = ''] = /<form([^>]*)>(.*?)<\/form>/s.exec(html) ?? []
  const action = attribute(head, 'action')
  if (action === undefined) return null
  return {
    action,
    fields(typed: Readonly<Record<string, string>>): URLSearchParams {
      const fields = new URLSearchParams()
      for (const [tag] of body.matchAll(/<input[^>]*>/g)) {
        const name = attribute(tag, 'name') ?? ''
        fields.set(name, typed[name] ?? attribute(tag, 'value') ?? '')
      }
      const button = /<button[^>]*class="act"[^>]*>/.exec(body)?.[0] ?? ''
      const name = attribute(button, 'name')
      if (name !== undefined) fields.set(name, attribute(button, 'value') ?? '')
      return fields
    },
  }
}
