#!/usr/bin/env node
/** The command `sallyport`: signs a person in on this machine, and gives programs their access tokens. */
import { parseArgs } from 'node:util'
import { readCredentials } from './credentials.ts'
import { credentialsOf, freshToken } from './fresh-token.ts'
import { readIssuer } from './issuer.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import { Refusal } from './refusal.ts'
import { whoami } from './whoami.ts'

const USAGE = `Usage: sallyport COMMAND [--issuer URL]

  login [--scope "SCOPES"] [--resource URL]   signs in, in a browser of this or another machine
  whoami                                      says who is signed in, as JSON
  token [--new]                               prints an access token that is good for a minute at least; --new: not the one
                                              that it has, because that was refused
  logout                                      ends what login was given

--issuer defaults to $SALLYPORT_ISSUER, then to where you last signed in. --resource: the API that tokens are for.
`

type Options = { issuer: string; scope?: string | undefined; resource?: string | undefined; new?: boolean | undefined }

const COMMANDS: Record<string, (options: Options) => Promise<void>> = {
  login,
  whoami: ({ issuer }) => whoami(issuer),
  async token({ issuer, new: another }) {
    const { resource, tokens } = await credentialsOf(issuer)
    process.stdout.write(`${await freshToken(issuer, resource, another ? tokens[resource]?.access_token : undefined)}\n`)
  },
  logout: ({ issuer }) => logout(issuer),
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

/** Whose option each is, where it is not everybody's. */
const OPTION_OF: Record<string, string> = { scope: 'login', resource: 'login', new: 'token' }

function parse(args: string[]) {
  try {
    const options = { issuer: text, scope: text, resource: text, new: flag, help: { ...flag, short: 'h' } } as const
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options })
    const [name = '', ...others] = positionals
    const command = others.length === 0 && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    const isForeign = Object.keys(values).some((option) => (OPTION_OF[option] ?? name) !== name)
    return { values, help: values.help === true, command: isForeign ? undefined : command }
  } catch {
    return { values: {}, help: false, command: undefined }
  }
}

async function main(args: string[]): Promise<number> {
  const { values, help, command } = parse(args)
  if (help || !command) {
    const stream = help ? process.stdout : process.stderr
    stream.write(USAGE)
    return help ? 0 : 2
  }
  try {
    const said = values.issuer ?? (process.env.SALLYPORT_ISSUER || (await readCredentials()).current)
    if (!said) throw new Refusal('Where? sallyport login --issuer https://auth.example.com')
    await command({ ...values, issuer: readIssuer(said) })
    return 0
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

process.exitCode = await main(process.argv.slice(2))
