/**
 * The members of the set whose hash is the digest of an index.
 *
 * @module
 */
import type { FamilyEntry, RestrictedEntry } from './entries.js'

interface HeldToken {
  readonly id: Int32Array
  readonly expiresAt: number
}

interface HeldFamily {
  readonly family: Int32Array
  readonly entry: FamilyEntry
}

/** A revoked token. */
export const numbersOf = ({ id, expiresAt }: HeldToken): number[] => [...id, ...wordsOf(expiresAt)]

/** A register of a family. */
export function numbersOfFamily({ family, entry }: HeldFamily): number[] {
  const { kind, generation, expiresAt } = entry
  const register = [...family.subarray(0, 4), ...wordsOf(expiresAt), generation]
  // No time has all bits set.
  return kind === 'rotated' ? [...register, ...wordsOf(entry.from ?? -1)] : register
}

const wordsOf = (time: number): [number, number] => [Math.floor(time / 2 ** 32), time]

/** A register of restrictions. Without its expiry, which nodes extend while it is in force. */
export const textOfRegister = (entry: RestrictedEntry): string => {
  const { target, value, descent, revision, state } = entry
  const { family, generation } = descent ?? { family: null, generation: null }
  return JSON.stringify([target, value, family, generation, revision, state])
}
