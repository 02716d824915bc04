/** How large a proof is, and from which seed its chances come. `LONG=1` takes the full sizes, `SEED=n` repeats the choices of a run. */
import { randomInt } from 'node:crypto'

export const LONG = process.env.LONG === '1'

export const sized = (normal: number, long: number): number => (LONG ? long : normal)

export const SEED = process.env.SEED ? Number(process.env.SEED) : randomInt(2 ** 31)
