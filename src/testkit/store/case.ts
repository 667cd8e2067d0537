/**
 * The parts of a case of the store contract.
 *
 * @module
 */
import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'
import type { Store } from '../../store/store.js'
import type { Fixtures } from './fixtures.js'

/** What a case is given. */
export interface CaseContext {
  /** Fresh, empty and open. */
  readonly store: Store
  /** A second instance over the same data, open; in a case that does without, the store itself. */
  readonly other: Store
  /** Opens one more instance over the same data; in a case that needs none, returns the store itself. */
  readonly reopen: () => Promise<Store>
  /** The case's own ids and records, the same in every run. */
  readonly make: Fixtures
}

/** One case: it breaks when the rule does. */
export interface StoreCase {
  /** The rule's stable name, the first word of the case's title. */
  readonly rule: string
  readonly title: string
  /** `also`: once on one instance and once across two. `only`: needs two. Default: one instance. */
  readonly across?: 'also' | 'only'
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

/** Where two unequal values differ first, so that a message need not print two hundred records. */
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

/** Asserts deep and strict equality; the message shows both sides where they first differ. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  const first = firstDifference(actual, expected)
  const where = first.path === '' ? '' : `, at ${first.path}`
  throw new AssertionError({
    message: `${what}${where}\n  expected: ${show(first.expected)}\n  actual: ${show(first.actual)}`,
    actual,
    expected,
    // Not the name of one of node:assert's own, which would append its diff of the whole.
    operator: 'same',
  })
}

/** Asserts a fact that has no two sides. */
export function holds(condition: boolean, what: string): asserts condition {
  if (!condition) {
    throw new AssertionError({ message: what, actual: false, expected: true, operator: '==' })
  }
}

/** Asserts that a value is there. */
export function present<T>(value: T | undefined, what: string): T {
  holds(value !== undefined, `${what}\n  expected: a value\n  actual: undefined`)
  return value
}

/** The same failure, with the rule in front. */
export function named(rule: string, error: unknown): Error {
  const message = `${rule}: ${error instanceof Error ? error.message : String(error)}`
  if (!(error instanceof AssertionError)) return new Error(message, { cause: error })
  const { actual, expected, operator } = error
  return new AssertionError({ message, actual, expected, operator })
}
