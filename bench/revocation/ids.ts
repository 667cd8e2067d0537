/**
 * Made-up token ids, as words: a stream of its own for each seed, the same in every run.
 *
 * @module
 */

/** When the tokens of the benches are issued, in Unix milliseconds. */
export const ISSUED = 1_735_689_600_000
export const HOUR = 3_600_000

/** Numbers below 2^32, evenly spread. */
export function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e37_79b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

/** Writes the next id into four words: a ULID of one of a million milliseconds. */
export function nextId(next: () => number, into: Int32Array): void {
  const time = ISSUED + (next() % 1_000_000)
  into[0] = Math.floor(time / 0x1_0000)
  into[1] = (time << 16) | (next() & 0xffff)
  into[2] = next()
  into[3] = next()
}
