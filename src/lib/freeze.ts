/**
 * Deep freezing of plain data.
 *
 * @module
 */
import { pathOf, strangenessOf } from './plain.js'

/** Deeply freezes plain data created by the library, so requests can share it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const item of Object.values(value)) deepFreeze(item)
  return value
}

/** Why a value cannot be frozen: the path and the kind of the offending part. */
export interface Unfreezable {
  readonly path: string
  readonly what: string
}

/**
 * Deeply freezes what a schema returned, which may be partly frozen or contain itself. Only plain objects, plain arrays
 * and primitives can be frozen reliably. For anything else, which may have state that freezing does not reach, returns
 * its path.
 */
export function freezeForeign(value: unknown): Unfreezable | undefined {
  return freezeAt(value, [], new Set())
}

function freezeAt(
  value: unknown,
  steps: PropertyKey[],
  seen: Set<unknown>,
): Unfreezable | undefined {
  const what = strangenessOf(value)
  if (what !== undefined) return { path: pathOf('claims', steps), what }
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined
  seen.add(value)
  Object.freeze(value)
  for (const key of Reflect.ownKeys(value)) {
    const {
      value: item,
      get,
      set,
    } = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor
    steps.push(Array.isArray(value) && typeof key === 'string' ? Number(key) : key)
    if (get !== undefined || set !== undefined)
      return { path: pathOf('claims', steps), what: 'an accessor' }
    const fault = freezeAt(item, steps, seen)
    if (fault !== undefined) return fault
    steps.pop()
  }
  return undefined
}
