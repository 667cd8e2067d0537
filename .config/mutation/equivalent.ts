import { EQUIVALENT_IN_INDEX } from './equivalent-index.js'
import { EQUIVALENT_IN_VERBS } from './equivalent-verbs.js'

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
export const EQUIVALENT: readonly Equivalent[] = [...EQUIVALENT_IN_INDEX, ...EQUIVALENT_IN_VERBS]
