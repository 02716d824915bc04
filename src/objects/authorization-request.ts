import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../env.ts'

/** One attempt to authorize that has to be remembered before anybody has signed in: a pushed request, a device code. */
export class AuthorizationRequest extends DurableObject<Env> {}
