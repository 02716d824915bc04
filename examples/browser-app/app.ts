// One page: signs in at Sallyport, keeps notes in the notes API. Open it in several tabs: they sign in and out together.
import { ClientError, createClient } from 'sallyport/browser'

// Put in when the page is built: the origins of Sallyport and of the notes API.
declare const SALLYPORT: string
declare const NOTES_API: string

const client = createClient({ baseUrl: SALLYPORT, audience: NOTES_API, scope: 'notes:read notes:write' })

function find<T extends HTMLElement>(selector: string, type: new () => T): T {
  const element = document.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`${selector} is missing`)
}

const status = find('#status', HTMLParagraphElement)
const signIn = find('#sign-in', HTMLFormElement)
const notes = find('#notes', HTMLElement)
const list = find('#notes ul', HTMLUListElement)
const add = find('#add', HTMLFormElement)

async function api(init: RequestInit = {}): Promise<Response> {
  const response = await client.fetch(`${NOTES_API}/notes`, init)
  if (response.ok) return response
  throw new Error(`The notes API answered ${response.status}.`)
}

/** Shows who is signed in, and what they have written. */
async function show(): Promise<void> {
  const session = await client.getSession()
  signIn.hidden = session !== null
  notes.hidden = session === null
  status.textContent = session === null ? 'Nobody is signed in.' : `Signed in as ${session.email}.`
  if (session === null) return list.replaceChildren()
  const answer: { notes: { text: string }[] } = await (await api()).json()
  list.replaceChildren(...answer.notes.map(({ text }) => Object.assign(document.createElement('li'), { textContent: text })))
}

/** Runs what a person asked for; a refusal is told, and changes nothing. */
async function act(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
    await show()
  } catch (error) {
    const wait = error instanceof ClientError && error.retryAfter !== undefined ? ` Try again in ${error.retryAfter} s.` : ''
    status.textContent = `${error instanceof Error ? error.message : error}${wait}`
  }
}

signIn.addEventListener('submit', (event) => {
  event.preventDefault()
  const fields = new FormData(signIn)
  const credentials = { email: String(fields.get('email')), password: String(fields.get('password')) }
  const isNew = event.submitter?.getAttribute('value') === 'sign-up'
  void act(() => (isNew ? client.signUp(credentials) : client.signIn(credentials)))
})

add.addEventListener('submit', (event) => {
  event.preventDefault()
  const text = String(new FormData(add).get('text'))
  add.reset()
  void act(() => api({ method: 'POST', body: text }))
})

find('#clear', HTMLButtonElement).addEventListener('click', () => act(() => api({ method: 'DELETE' })))
find('#sign-out', HTMLButtonElement).addEventListener('click', () => act(() => client.signOut()))

client.onChange(() => act(async () => {}))
await act(async () => {})
