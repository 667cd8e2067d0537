/**
 * Deep freezing of plain data.
 *
 * @module
 */
import { types } from 'node:util'

/** Freezes plain data of our own making and everything in it, so that it can be shared between requests. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const item of Object.values(value)) deepFreeze(item)
  return value
}

/**
 * Freezes what somebody else made, and everything in it: it may be frozen in part, or hold itself. Throws for what keeps
 * state that freezing does not reach, such as a Date or a Map.
 */
export function freezeForeign<T>(value: T, seen: Set<unknown> = new Set()): T {
  if (typeof value !== 'object' || value === null || seen.has(value)) return value
  if (hasHiddenState(value)) throw new TypeError('expected plain data')
  seen.add(value)
  Object.freeze(value)
  for (const item of Object.values(value)) freezeForeign(item, seen)
  return value
}

function hasHiddenState(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    ArrayBuffer.isView(value) ||
    types.isAnyArrayBuffer(value)
  )
}
