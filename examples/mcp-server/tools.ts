// What the server can do for whoever calls, and the scope that each of its tools needs.
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { Notebook } from '../notes-api/notebook.ts'

/** Whose tools these are: as the access token says. */
export type Caller = { sub: string; client_id: string; scope: string }
type Person = { caller: Caller; notebook: DurableObjectStub<Notebook> }

type Tool = {
  description: string
  /** What a token must have for it; null: nothing beyond being good here. */
  scope: string | null
  /** The names of its arguments, all of them texts. */
  takes: readonly string[]
  run(person: Person, given: Readonly<Record<string, unknown>>): Promise<string>
}

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  [
    'whoami',
    {
      description: 'Says for whom and through which client this server is called.',
      scope: null,
      takes: [],
      run: async ({ caller }) => JSON.stringify(caller),
    },
  ],
  [
    'list_notes',
    {
      description: 'Lists the notes of the person.',
      scope: 'notes:read',
      takes: [],
      run: async ({ notebook }) => JSON.stringify((await notebook.list()).map(({ text }) => text)),
    },
  ],
  [
    'add_note',
    {
      description: 'Keeps a note for the person.',
      scope: 'notes:write',
      takes: ['text'],
      async run({ notebook }, { text }) {
        if (typeof text !== 'string' || text === '' || text.length > 1000) {
          throw new McpError(ErrorCode.InvalidParams, 'text must have 1 to 1000 characters')
        }
        await notebook.add(text)
        return 'kept'
      },
    },
  ],
])

export const SCOPES = [...TOOLS.values()].flatMap(({ scope }) => scope ?? [])

/** The scope that a message asks for: only a call of a tool needs one. */
export function scopeOf(message: unknown): string | null {
  const call = CallToolRequestSchema.safeParse(message)
  return call.success ? (TOOLS.get(call.data.params.name)?.scope ?? null) : null
}

/** The server for one request of one person. What the token may do has been looked at by then. */
export function toolServer(person: Person): Server {
  const server = new Server({ name: 'sallyport-example', version: '1.0.0' }, { capabilities: { tools: {} } })
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [...TOOLS].map(([name, { description, takes }]) => ({
      name,
      description,
      inputSchema: { type: 'object', properties: Object.fromEntries(takes.map((it) => [it, { type: 'string' }])), required: [...takes] },
    })),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const tool = TOOLS.get(params.name)
    if (!tool) throw new McpError(ErrorCode.InvalidParams, 'there is no such tool')
    return { content: [{ type: 'text', text: await tool.run(person, params.arguments ?? {}) }] }
  })
  return server
}
