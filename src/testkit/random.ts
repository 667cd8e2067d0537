/**
 * Seeded pseudorandom numbers, so failures are reproducible.
 *
 * @module
 */

/** Mulberry32 over a hash of the seed: whole numbers of 32 bits, the same in every run. */
export function generator(seed: string): () => number {
  let state = 2166136261
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) as number), 16777619)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}
