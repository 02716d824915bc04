import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../env.ts'

/** What an OAuth client registered here is, and what was revoked of its own. */
export class Client extends DurableObject<Env> {}
