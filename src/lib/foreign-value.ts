/**
 * Reads values that other code created, such as the errors of a driver: their getters and proxies may throw.
 *
 * @module
 */

/** A property of any value; `undefined` if reading it throws. */
export function fieldOf(value: unknown, name: PropertyKey): unknown {
  try {
    return (value as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[name]
  } catch {
    return undefined
  }
}

/** A property that the value has itself; `undefined` if it only inherits it, or if reading it throws. */
export function ownFieldOf(value: object, name: PropertyKey): unknown {
  try {
    return Object.hasOwn(value, name) ? fieldOf(value, name) : undefined
  } catch {
    return undefined
  }
}

/** A property that is text; `''` if it is anything else, or if reading it throws. */
export function textFieldOf(value: unknown, name: PropertyKey): string {
  const field = fieldOf(value, name)
  return typeof field === 'string' ? field : ''
}

/** Whether the value is an error; `false` if a proxy forbids the question. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error
  } catch {
    return false
  }
}
