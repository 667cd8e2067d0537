/**
 * Tables that the ESM and the CommonJS copy of the package share, because both may run in one process.
 *
 * @module
 */

/** The table of this name: created once per process, or once per copy if the global object is frozen. */
export function sharedTable<Value>(name: string): WeakMap<object, Value> {
  const symbol = Symbol.for(name)
  const known = Object.getOwnPropertyDescriptor(globalThis, symbol)?.value as
    | WeakMap<object, Value>
    | undefined
  if (known !== undefined) return known
  const made = new WeakMap<object, Value>()
  Reflect.defineProperty(globalThis, symbol, { __proto__: null, value: made } as PropertyDescriptor)
  return made
}
