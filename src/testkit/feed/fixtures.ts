/**
 * Epochs, events and heads for the cases, generated from a seed, so failures are reproducible.
 *
 * @module
 */
import type { Position, SealedEvent, SealedHead } from '../../feed/feed.js'
import { generator } from '../random.js'

/** The time of the cases: 2026-01-01T00:00:00Z. They read no clock. */
export const NOW = Date.UTC(2026, 0, 1)

/** The arguments of one append. */
export interface Draft {
  readonly events: readonly SealedEvent[]
  readonly next: SealedHead
}

/** Generates the values of one case. */
export interface Fixtures {
  /** Returns random bytes of that length. */
  bytes(length: number): Uint8Array
  /** Returns a new epoch. */
  epoch(): string
  /** Returns events of the given lengths in bytes after a position, or of a new log, and the head that covers them. */
  draft(after: Position | null, lengths: readonly number[], over?: Partial<SealedHead>): Draft
  /** Returns the same head, re-sealed a second later. */
  touched(head: SealedHead, over?: Partial<SealedHead>): SealedHead
}

/** Fixtures from a seed. */
export function fixtures(seed: string): Fixtures {
  const random = generator(seed)
  let beaconAt = NOW

  function bytes(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4))
    for (let at = 0; at < words.length; at++) words[at] = random()
    return new Uint8Array(words.buffer).slice(0, length)
  }
  const epoch = () => Buffer.from(bytes(16)).toString('base64url')

  return {
    bytes,
    epoch,
    draft(after, lengths, over) {
      const life = over?.epoch ?? after?.epoch ?? epoch()
      const start = after?.epoch === life ? after.seq : 0
      const events = lengths.map((length, index) => ({
        seq: start + index + 1,
        bytes: bytes(length),
      }))
      const seq = start + events.length
      const link = seq === 0 ? new Uint8Array(16) : bytes(16)
      beaconAt += 1000
      const next = { epoch: life, seq, link, floor: 1, beaconAt, bytes: bytes(100), ...over }
      return { events, next }
    },
    touched(head, over) {
      return { ...head, beaconAt: head.beaconAt + 1000, bytes: bytes(100), ...over }
    },
  }
}
