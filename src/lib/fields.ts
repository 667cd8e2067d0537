/**
 * Reads fields of foreign objects, unaffected by a polluted `Object.prototype`.
 *
 * @module
 */

type Holder<T, K extends string> = Extract<T, Record<K, unknown>>
type Holding<T, K extends string> = [Holder<T, K>] extends [never]
  ? T & Required<Pick<T, K & keyof T>> & Record<K, unknown>
  : Holder<T, K>

/** Whether the object itself has the field. Unlike `in`, ignores the prototype. */
export function has<T extends object, K extends string>(
  value: T,
  field: K,
): value is T & Holding<T, K> {
  return Object.hasOwn(value, field)
}

/** Whether this is `Object.prototype`, of this realm or of another one. */
export function isRootPrototype(value: object): boolean {
  if (value === Object.prototype) return true
  return Object.getPrototypeOf(value) === null && Object.hasOwn(value, '__lookupGetter__')
}

/** Whether this is an object without a class: a literal, or one without a prototype. */
export function isPlainObject(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value) as object | null
  return prototype === null || isRootPrototype(prototype)
}

/** The first object of the prototype chain, the value included, that has the field. */
function holderOf(value: object, field: string): object | null {
  let level: object | null = value
  while (level !== null && !Object.hasOwn(level, field))
    level = Object.getPrototypeOf(level) as object | null
  return level
}

/** Whether only `Object.prototype` has the field. */
function isPolluted(value: object, field: string): boolean {
  const holder = holderOf(value, field)
  return holder !== null && holder !== value && isRootPrototype(holder)
}

/** Reads one field, unless only `Object.prototype` has it. */
export function readField(value: object, field: string): unknown {
  return isPolluted(value, field) ? undefined : (value as Record<string, unknown>)[field]
}

/**
 * The fields of an object, each read once, in an object without a prototype: all own fields, enumerable or not, and the
 * `known` ones that a class or a proxy adds.
 */
export function fieldsOf(
  value: object,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  const fields = Object.create(null) as Record<string, unknown>
  const source = value as Record<string, unknown>
  for (const field of Object.getOwnPropertyNames(value)) fields[field] = source[field]
  for (const field of known) {
    if (Object.hasOwn(fields, field)) continue
    const holder = holderOf(value, field)
    if (holder !== null && isRootPrototype(holder)) continue
    // A proxy may return a value for a field that it does not list.
    const given = source[field]
    if (holder !== null || given !== undefined) fields[field] = given
  }
  return fields
}

/** A copy without a prototype, so a missing field reads as `undefined`. */
export function bare<T extends object>(value: T): T {
  return Object.assign(Object.create(null) as T, value)
}
