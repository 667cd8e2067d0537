/** A mutant that no test can notice, because it changes nothing that the library promises. */
export interface Equivalent {
  readonly file: string
  /** The line that it begins on, without indentation, if the file has the same mutant elsewhere. */
  readonly line?: string
  readonly original: string
  readonly mutated: string
  readonly reason: string
}

/** The mutants that are left out, each with its reason. */
export const EQUIVALENT: readonly Equivalent[] = [
  {
    file: 'src/revocation/index/families.ts',
    original: 'hourEnd(this.#firstHour) > before',
    mutated: 'false',
    reason: 'an early return that saves a walk in which every register is kept',
  },
  {
    file: 'src/revocation/index/id-shards.ts',
    original: 'i < slot.length',
    mutated: 'i <= slot.length',
    reason: 'a write beyond the end of a typed array has no effect',
  },
  {
    file: 'src/revocation/index/id-shards.ts',
    original: 'kept.get(table) ?? table',
    mutated: 'kept.get(table)',
    reason: 'every table has an entry in the map; only the type does not say so',
  },
  {
    file: 'src/revocation/index/id-shards.ts',
    original: 'index - 1',
    mutated: 'index + 1',
    reason: 'picks the last of several equal neighbours instead of the first',
  },
]
