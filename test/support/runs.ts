/**
 * How thoroughly a property or a matrix of cases is tried. `npm test` tries a part, `npm run test:full` all, and the
 * variable `WATCHWORD_PROPERTY_RUNS` sets the factor for both, such as 5 every night.
 *
 * @module
 */

const FACTOR = Number(process.env['WATCHWORD_PROPERTY_RUNS'] ?? 1)
if (!(FACTOR > 0)) throw new RangeError('WATCHWORD_PROPERTY_RUNS: expected a number above 0')

/**
 * The number of runs of a property: `count` times the factor.
 *
 * @param fewest - The fewest runs, such as `count` where a property also checks that its inputs met every case.
 */
export const runs = (count: number, fewest = 1): number =>
  Math.max(fewest, Math.ceil(count * FACTOR))

/** The cases of a matrix: all of them, or those that `isTypical` picks where only a part is tried. */
export const cases = <T>(all: readonly T[], isTypical: (each: T) => boolean): readonly T[] =>
  FACTOR < 1 ? all.filter(isTypical) : all
