/**
 * The results of adding an entry and of a lookup, and their unit of time, shared by the parts of the index.
 *
 * @module
 */

/**
 * The length of a bucket in milliseconds. It must be the same on every node and never change, because snapshots and
 * lookups depend on it.
 */
export const BUCKET_MS = 3_600_000

/** The result of adding an entry. `known`: an entry at least as strong is stored. `refused`: there is no space. */
export type Outcome = 'added' | 'changed' | 'known' | 'refused'

/** The rejection time of a revoked token: earlier than any time. */
export const REVOKED = Number.NEGATIVE_INFINITY
/** The rejection time of a token that is not revoked: later than any time. */
export const NOT_REVOKED = Number.POSITIVE_INFINITY
