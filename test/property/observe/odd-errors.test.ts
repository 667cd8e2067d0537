/**
 * Errors of adapters that cannot be inspected: a call settles with the code of the outage for every value that an adapter
 * throws.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WatchwordError } from 'watchword'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../src/lib/clock.js'
import { withDeadline } from '../../../src/lib/deadline.js'
import { causesOf, reasonOf } from '../../../src/lib/failure-reason.js'
import { failure } from '../../../src/lib/failure-text.js'
import { Failures } from '../../../src/observe/failures.js'
import { runs } from '../../support/runs.js'

const FIELDS = ['name', 'message', 'code', 'cause', 'errors', 'constructor', 'errno'] as const
const MORE_FIELDS = ['sqlState', 'errcode', 'address', 'hostname', 'port'] as const

const refuse = (): never => {
  throw new Error('the property cannot be read')
}
const TRAPS = ['get', 'has', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'ownKeys'] as const
const hostile = (traps: readonly string[]): unknown =>
  new Proxy(new Error('hidden'), Object.fromEntries(traps.map((trap) => [trap, refuse])))

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return proxy
}

// Functions that make the values, because fast-check itself inspects what it generates.
type Make = () => unknown

const value: fc.Arbitrary<Make> = fc.oneof(
  fc
    .constantFrom(undefined, null, 0, 4025, '', 'ECONNREFUSED', '23000', 1n, true)
    .map((simple) => () => simple),
  fc.constantFrom<Make>(
    () => Symbol('odd'),
    () => Object.create(null) as unknown,
    () => [Object.create(null)],
    () => refuse,
    revoked,
  ),
  fc.subarray([...TRAPS], { minLength: 1 }).map((traps) => () => hostile(traps)),
)

interface OddField {
  readonly name: string
  readonly throws: boolean
  readonly make: Make
}

const field: fc.Arbitrary<OddField> = fc.record({
  name: fc.constantFrom<string>(...FIELDS, ...MORE_FIELDS),
  throws: fc.boolean(),
  make: value,
})

function errorWith(fields: readonly OddField[]): Error {
  const error = new Error('READONLY')
  for (const { name, throws, make } of fields) {
    const property = throws ? { get: refuse } : { value: make() }
    Object.defineProperty(error, name, { ...property, configurable: true })
  }
  return error
}

const thrown: fc.Arbitrary<Make> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(field, { minLength: 1, maxLength: 5 })
      .map((fields) => () => errorWith(fields)),
  },
  value,
  fc
    .array(field, { maxLength: 3 })
    .map((fields) => () => new Error('outer', { cause: errorWith(fields) })),
)

const CODES = ['ERR_STORE_UNAVAILABLE', 'ERR_FEED_UNAVAILABLE', 'ERR_ROOT_KEY'] as const
const clock = resolveClock(manualClock())

/** The outcome of a call that rejects with `cause`. Fails if the call stays pending. */
async function outcomeOf(cause: unknown, code: (typeof CODES)[number]): Promise<unknown> {
  const call = () => new Promise<never>((_, reject) => reject(cause))
  let outcome: unknown
  withDeadline({ clock, deadlineMs: 1000, code, name: 'store "odd"' }, call).then(
    refuse,
    (error) => {
      outcome = { error }
    },
  )
  await new Promise((resolve) => setImmediate(resolve))
  return outcome
}

describe('an adapter that throws a value that cannot be inspected', () => {
  it('rejects the call with the code of the outage and the value as its cause', async () => {
    await fc.assert(
      fc.asyncProperty(thrown, fc.constantFrom(...CODES), async (make, code) => {
        const cause = make()
        const outcome = (await outcomeOf(cause, code)) as { error: WatchwordError } | undefined
        expect(outcome === undefined).toBe(false)
        const error = outcome?.error as WatchwordError
        expect(error instanceof WatchwordError && error.code).toBe(code)
        expect(error.message.startsWith('store "odd" failed')).toBe(true)
        expect(Object.is(error.cause, cause)).toBe(true)
      }),
      { numRuns: runs(500) },
    )
  })

  it('is described by a message, a reason and a report in health()', () => {
    fc.assert(
      fc.property(thrown, (make) => {
        const cause = make()
        const failures = new Failures(clock)
        failures.note(cause)
        failures.note(failure('ERR_STORE_UNAVAILABLE', 'store "odd"', cause), 'revoke')
        const { last } = failures
        expect([typeof last?.message, last?.reason]).toEqual(['string', reasonOf(cause)])
        expect(causesOf(cause).length).toBeLessThanOrEqual(5)
      }),
      { numRuns: runs(500) },
    )
  })
})
