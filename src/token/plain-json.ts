/**
 * Writes JSON that reads back unchanged. Rejects values that JSON would drop or change, and reports their path.
 *
 * `JSON.stringify` is used only for text, because it calls a `toJSON` that a polluted prototype may have.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { pathOf, strangenessOf } from '../lib/plain.js'
import { PAYLOAD_LIMITS } from './json.js'

/**
 * Writes claims as JSON. Each property is read once by its descriptor, so no code of the caller runs.
 *
 * @throws WatchwordError `ERR_CLAIMS_INVALID`, naming the path, such as `claims.a.b[2]`, and the kind of value.
 */
export function writePlainJson(value: unknown): string {
  return new Writer().write(value)
}

class Writer {
  readonly #steps: PropertyKey[] = []
  readonly #open = new Set<object>()

  write(value: unknown): string {
    const what = strangenessOf(value)
    if (what !== undefined) throw this.#fault(what)
    if (value === null || typeof value === 'boolean') return String(value)
    if (typeof value === 'string') return this.#text(value, 'text')
    if (typeof value === 'number') return this.#number(value)
    if (typeof value !== 'object') throw this.#fault(KINDS[typeof value] ?? 'a value')
    return this.#nested(value)
  }

  #text(value: string, kind: string): string {
    if (!value.isWellFormed()) throw this.#fault(`${kind} with a lone surrogate`)
    return JSON.stringify(value)
  }

  #number(value: number): string {
    if (!Number.isFinite(value)) throw this.#fault('a number that is not finite')
    if (Object.is(value, -0)) throw this.#fault('-0')
    if (Number.isInteger(value) && !Number.isSafeInteger(value))
      throw this.#fault('a whole number beyond 2^53')
    return String(value)
  }

  #nested(value: object): string {
    if (this.#open.has(value)) throw this.#fault('a value that contains itself')
    if (this.#open.size === PAYLOAD_LIMITS.maxDepth)
      throw this.#fault(`a value nested deeper than ${PAYLOAD_LIMITS.maxDepth}`)
    this.#open.add(value)
    const text = Array.isArray(value) ? this.#array(value) : this.#object(value)
    this.#open.delete(value)
    return text
  }

  #array(value: readonly unknown[]): string {
    const items: string[] = []
    for (let i = 0; i < value.length; i++) items.push(this.#item(value, i))
    // `length` is an own key of the array.
    if (Reflect.ownKeys(value).length !== value.length + 1)
      throw this.#fault('an array with fields of its own')
    return `[${items.join(',')}]`
  }

  #object(value: object): string {
    const fields: string[] = []
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === 'symbol') throw this.#fault('an object with a symbol as a key')
      if (key === '__proto__') throw this.#fault("an object with the key '__proto__'")
      fields.push(`${this.#text(key, 'a key')}:${this.#item(value, key)}`)
    }
    return `{${fields.join(',')}}`
  }

  #item(value: object, key: string | number): string {
    const descriptor = Object.getOwnPropertyDescriptor(value, key)
    this.#steps.push(key)
    if (descriptor === undefined) throw this.#fault('a hole')
    if (descriptor.get !== undefined || descriptor.set !== undefined)
      throw this.#fault('an accessor')
    if (!descriptor.enumerable) throw this.#fault('a hidden property')
    const text = this.write(descriptor.value)
    this.#steps.pop()
    return text
  }

  #fault(what: string): WatchwordError {
    return new WatchwordError(
      'ERR_CLAIMS_INVALID',
      `${pathOf('claims', this.#steps)}: ${what} cannot be stored as JSON; use plain objects, arrays, strings, finite numbers, booleans or null`,
    )
  }
}

const KINDS: Readonly<Partial<Record<string, string>>> = {
  undefined: 'undefined',
  bigint: 'a BigInt',
  symbol: 'a symbol',
}
