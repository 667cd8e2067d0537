/**
 * The types of a case of the store contract, and its assertions.
 *
 * @module
 */
import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'
import type { Store } from '../../store/store.js'
import type { Fixtures } from './fixtures.js'

/** The arguments of a case. */
export interface CaseContext {
  /** A new, empty, open store. */
  readonly store: Store
  /** A second open instance over the same data; the store itself if the case needs only one. */
  readonly other: Store
  /** Opens one more instance over the same data; returns the store itself if the case needs only one. */
  readonly reopen: () => Promise<Store>
  /** The case's own ids and records, the same in every run. */
  readonly make: Fixtures
}

/** One case: it fails if the adapter breaks the rule. */
export interface StoreCase {
  /** The rule's stable name, the first word of the case's title. */
  readonly rule: string
  readonly title: string
  /** `also`: once on one instance and once across two. `only`: needs two. Default: one instance. */
  readonly across?: 'also' | 'only'
  /** The optional part that the case needs. Default: none. */
  readonly needs?: 'usage' | 'audit' | 'restrictions'
  run(context: CaseContext): Promise<void>
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, maxArrayLength: 20, maxStringLength: 200, sorted: true })
}

interface Difference {
  readonly path: string
  readonly actual: unknown
  readonly expected: unknown
}

/** The first difference between two values, so a message need not print two hundred records. */
function firstDifference(actual: unknown, expected: unknown, path = ''): Difference {
  const here = { path, actual, expected }
  if (!isTree(actual) || !isTree(expected)) return here
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    if (isDeepStrictEqual(actual[key], expected[key]) && key in actual === key in expected) continue
    const step = Array.isArray(expected) ? `[${key}]` : `.${key}`
    return firstDifference(actual[key], expected[key], path + step)
  }
  return here
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  if (Array.isArray(value)) return true
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}

/** Asserts deep and strict equality. The message shows the first difference. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  const first = firstDifference(actual, expected)
  const where = first.path === '' ? '' : `, at ${first.path}`
  throw new AssertionError({
    message: `${what}${where}\n  expected: ${show(first.expected)}\n  actual: ${show(first.actual)}`,
    actual,
    expected,
    // Not an operator of node:assert, which would append its diff of the whole.
    operator: 'same',
  })
}

/** Asserts a condition. */
export function holds(condition: boolean, what: string): asserts condition {
  if (!condition) {
    throw new AssertionError({ message: what, actual: false, expected: true, operator: '==' })
  }
}

/** Asserts that a value is neither `undefined` nor `null`. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value !== undefined && value !== null) return value
  const message = `${what}\n  expected: a value\n  actual: ${value}`
  throw new AssertionError({ message, actual: value, expected: 'a value', operator: '!=' })
}

/** The same error with the rule in front. */
export function named(rule: string, error: unknown): Error {
  const message = `${rule}: ${error instanceof Error ? error.message : String(error)}`
  if (!(error instanceof AssertionError)) return new Error(message, { cause: error })
  const { actual, expected, operator } = error
  return new AssertionError({ message, actual, expected, operator })
}
