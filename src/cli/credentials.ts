/** What `sallyport login` leaves on this machine: a file for its owner's eyes, in which every issuer has a place. */
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { Refusal } from './refusal.ts'

/** `expires_at`: seconds since 1970. */
export type HeldToken = { access_token: string; expires_at: number }

export type Credentials = {
  refresh_token: string
  scope: string
  /** What `sallyport token` is for: an audience, the issuer itself unless `--resource` said another. */
  resource: string
  /** By audience. */
  tokens: Record<string, HeldToken>
}

/** `current`: the issuer that was last signed in to. */
export type CredentialsFile = { current: string | null; issuers: Record<string, Credentials> }

const directory = (): string => path.join(process.env.XDG_CONFIG_HOME || path.join(homedir(), '.config'), 'sallyport')

export const credentialsPath = (): string => path.join(directory(), 'credentials.json')
export const lockPath = (): string => path.join(directory(), 'credentials.lock')

/** Makes the directory, for its owner alone. */
export async function prepareDirectory(): Promise<void> {
  await mkdir(directory(), { recursive: true, mode: 0o700 })
  await chmod(directory(), 0o700)
}

export async function readCredentials(): Promise<CredentialsFile> {
  const text = await readFile(credentialsPath(), 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw new Refusal(`${credentialsPath()} cannot be read.`)
  })
  if (text === null) return { current: null, issuers: {} }
  const file = parse(text)
  if (!file) throw new Refusal(`${credentialsPath()} is damaged: delete it, and sign in again.`)
  return file
}

function parse(text: string): CredentialsFile | null {
  try {
    const value: unknown = JSON.parse(text)
    return isFile(value) ? value : null
  } catch {
    return null
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const isToken = (value: unknown): value is HeldToken =>
  isRecord(value) && typeof value.access_token === 'string' && typeof value.expires_at === 'number'

const isCredentials = (value: unknown): value is Credentials =>
  isRecord(value) &&
  [value.refresh_token, value.scope, value.resource].every((member) => typeof member === 'string') &&
  isRecord(value.tokens) &&
  Object.values(value.tokens).every(isToken)

const isFile = (value: unknown): value is CredentialsFile =>
  isRecord(value) &&
  (value.current === null || typeof value.current === 'string') &&
  isRecord(value.issuers) &&
  Object.values(value.issuers).every(isCredentials)

/** Replaces the file as a whole: a process that is killed leaves the old one or the new one. */
export async function writeCredentials(file: CredentialsFile): Promise<void> {
  const unique = `${credentialsPath()}.${process.pid}`
  await rm(unique, { force: true })
  const handle = await open(unique, 'wx', 0o600)
  await handle.writeFile(`${JSON.stringify(file, null, 2)}\n`)
  await handle.sync()
  await handle.close()
  await rename(unique, credentialsPath())
}

/** Changes the place of one issuer; null takes it away. For whoever holds the lock. */
export async function keepCredentials(issuer: string, credentials: Credentials | null): Promise<void> {
  const { current, issuers } = await readCredentials()
  const { [issuer]: _, ...others } = issuers
  const next = credentials ? issuer : current === issuer ? (Object.keys(others)[0] ?? null) : current
  await writeCredentials({ current: next, issuers: credentials ? { ...others, [issuer]: credentials } : others })
}
