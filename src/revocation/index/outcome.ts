/**
 * What the parts of the index have in common: the results of adding an entry and of a look-up, and their unit of time.
 *
 * @module
 */

/**
 * The length of a bucket in milliseconds. It must never change and be the same on every node, since snapshots and
 * lookups must agree.
 */
export const BUCKET_MS = 3_600_000

/** The result of adding an entry. `known`: it is held already, or is not stronger. `refused`: there is no room. */
export type Outcome = 'added' | 'changed' | 'known' | 'refused'

/** The rejection time of a revoked token: earlier than any time. */
export const REVOKED = Number.NEGATIVE_INFINITY
/** The rejection time of a token that is not revoked: later than any time. */
export const NOT_REVOKED = Number.POSITIVE_INFINITY
