/**
 * The budget of rotations: a family's next generation is bounded by the age of the family.
 *
 * It needs no state. The generation and the time of the family's first token come from authenticated claims, so every
 * node makes the same decision, and neither the holder nor an edited row can reset it.
 *
 * @module
 */
import { decodeTime } from 'ulid'
import { WatchwordError } from '../errors.js'
import type { Policy } from './policy.js'

/** The token fields that the budget uses. */
export interface Rotated {
  /** The ULID of the family's first token. */
  readonly family: string
  readonly generation: number
}

/**
 * Throws `ERR_ROTATION_LIMIT` if the family has used up the rotations that its policy allows by now (Unix
 * milliseconds). A family from the future, due to clock skew, counts as new.
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
