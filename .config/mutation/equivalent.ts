/** A mutant that no test can notice, because it changes nothing that the library promises. */
export interface Equivalent {
  readonly file: string
  readonly original: string
  readonly mutated: string
  readonly reason: string
}

/** The mutants that are left out, each with its reason. */
export const EQUIVALENT: readonly Equivalent[] = []
