/**
 * How often a property is tried.
 *
 * @module
 */

// Not fewer than by default: some properties also check that their inputs met every case.
const FACTOR = Math.max(1, Number(process.env['WATCHWORD_PROPERTY_RUNS'] ?? 1))

/** The number of runs of a property: `count`, times `WATCHWORD_PROPERTY_RUNS`, such as 5 every night. */
export const runs = (count: number): number => Math.ceil(count * FACTOR)
