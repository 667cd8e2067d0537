/**
 * Bounds the values of attributes to the configured names.
 *
 * @module
 */

/** Stands for every name that is not configured, such as that of a policy that was removed. */
export const OTHER = 'other'

/** Returns the name if it is configured, otherwise {@link OTHER}. */
export type Bound = (name: string) => string

/** Creates a bound: a token may name a policy that is not configured, so names are not bounded by themselves. */
export function boundBy(names: readonly string[]): Bound {
  const known = new Set(names)
  return (name) => (known.has(name) ? name : OTHER)
}
