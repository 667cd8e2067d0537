/**
 * Distinguishes plain data from other values, and describes those for messages.
 *
 * @module
 */
import { types } from 'node:util'
import { isPlainObject, isRootPrototype } from './fields.js'

/** Whether this is a plain array, not an instance of a subclass. */
function isPlainArray(value: object): boolean {
  if (!Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  // Also from another realm, whose `Array.prototype` is an array as well.
  return (
    prototype === Array.prototype ||
    (Array.isArray(prototype) && isRootPrototype(Object.getPrototypeOf(prototype) as object))
  )
}

/** The description of a value that is not plain data; `undefined` for plain objects, plain arrays and primitives. */
export function strangenessOf(value: unknown): string | undefined {
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return undefined
  if (types.isProxy(value)) return 'a Proxy'
  return isPlainArray(value) || isPlainObject(value) ? undefined : classOf(value)
}

// Read without running code of the class. An object without a prototype is plain.
function classOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as object
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  const name: unknown =
    typeof maker === 'function' ? Object.getOwnPropertyDescriptor(maker, 'name')?.value : undefined
  if (typeof name !== 'string' || !/^\w{1,40}$/.test(name)) return 'an instance of a class'
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`
}

/**
 * JSON of a list of text, numbers, booleans, null and lists of them. `JSON.stringify` would call a `toJSON` of a
 * polluted prototype, but not for text and numbers.
 */
export function listJson(list: readonly unknown[]): string {
  const items = list.map((item) => (Array.isArray(item) ? listJson(item) : JSON.stringify(item)))
  return `[${items.join(',')}]`
}

/** A path in a value for a message: `claims.a.b[2]`. */
export function pathOf(root: string, steps: readonly PropertyKey[]): string {
  let path = root
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`
    // A longer name may be a secret passed in the wrong place.
    else if (typeof step === 'string' && /^[A-Za-z_$][\w$]{0,39}$/.test(step)) path += `.${step}`
    else path += '[…]'
  }
  return path
}
