/**
 * Reads only own fields of foreign objects, because another package may have polluted `Object.prototype`.
 *
 * @module
 */

/** One own field of an object; `undefined` for other values and missing fields. */
export function own(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

/** Whether the value is a plain object: not a list, and not an instance of a class. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const MAX_SHOWN = 40
// Text may be a token or a key, so only its type is named.
const SECRET = /v\d\.|k\d\.|\s|^[\w+/=-]{24,}$/

/** Describes a value for an error message, never showing a token or a key. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    const isSafe = value.length <= MAX_SHOWN && !SECRET.test(value)
    return isSafe ? JSON.stringify(value) : `a string of ${value.length} characters`
  }
  if (value === null || ['undefined', 'boolean', 'number'].includes(typeof value)) {
    return String(value)
  }
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
