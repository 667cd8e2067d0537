/**
 * Deep freezing of plain data.
 *
 * @module
 */
import { pathOf, strangenessOf } from './plain.js'

/** Freezes plain data of our own making and everything in it, so that it can be shared between requests. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const item of Object.values(value)) deepFreeze(item)
  return value
}

/** Why a value cannot be frozen: where, and what is there. */
export interface Unfreezable {
  readonly path: string
  readonly what: string
}

/**
 * Freezes what a schema returned, and everything in it: it may be frozen in part, or contain itself. Only plain objects,
 * plain arrays and primitives can be frozen truly; of anything else, which may keep state that freezing does not reach,
 * the place is returned.
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
