import type { Equivalent } from './equivalent.js'

/** The original, the mutated text and, if the file has the same mutant elsewhere, its line. */
export type Change = readonly [original: string, mutated: string, line?: string]

/** Lists equivalent mutants of one file that have the same reason. */
export const inFile =
  (file: string) =>
  (reason: string, ...changes: readonly Change[]): Equivalent[] =>
    changes.map(([original, mutated, line]) => ({
      file,
      ...(line === undefined ? {} : { line }),
      original,
      mutated,
      reason,
    }))
