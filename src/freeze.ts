/**
 * Deep freezing of plain data.
 *
 * @module
 */

/** Freezes a value and everything in it, so that it can be shared between requests. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const item of Object.values(value)) deepFreeze(item)
  return value
}
