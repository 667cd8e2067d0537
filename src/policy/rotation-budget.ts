/**
 * The budget of rotations: a family's next generation is bounded by the age of the family.
 *
 * It needs no state. The generation and the time of the family's first token come from authenticated claims, so every
 * node decides alike, and neither the holder nor an edited row can reset it.
 *
 * @module
 */
import { decodeTime } from 'ulid'
import { WatchwordError } from '../errors.js'
import type { Policy } from './policy.js'

/** What the budget needs to know of a token. */
export interface Rotated {
  /** The ULID of the family's first token. */
  readonly family: string
  readonly generation: number
}

/**
 * Throws `ERR_ROTATION_LIMIT` when the family was rotated as often as its policy allows by now (Unix milliseconds).
 * A family that seems to be younger than nothing, because clocks differ, counts as new.
 */
export function spendRotation(
  { name, rotations }: Policy,
  { family, generation }: Rotated,
  now: number,
): void {
  const { burst, everyMs } = rotations
  const bornAt = decodeTime(family)
  const allowed = burst + Math.floor(Math.max(0, now - bornAt) / everyMs)
  if (generation < allowed) return
  const retryAt = bornAt + (generation + 1 - burst) * everyMs
  throw new WatchwordError(
    'ERR_ROTATION_LIMIT',
    `policy "${name}" allows ${burst} rotations of a family and one more every ${everyMs} ms; retry in ${retryAt - now} ms, or raise the policy's rotations`,
    { retryAt },
  )
}
