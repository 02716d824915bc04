import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../env.ts'

/** Which one-time proofs of one maker have been seen. */
export class ReplayMemory extends DurableObject<Env> {}
