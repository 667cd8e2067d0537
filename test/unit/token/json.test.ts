/**
 * Custom claims return as they were passed, or are rejected with their path. No request can change what another
 * one reads.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { ready } from '../../../src/paseto.js'
import { closeAll, failureOf, isDeepFrozen, rig } from '../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', actor: 'a' } as const

const circle: Record<string, unknown> = {}
circle['self'] = circle
let reads = 0

class Tenant {
  readonly #secret = 1
  name = 'acme'
  get secret() {
    return this.#secret
  }
}

const STRANGE: ReadonlyArray<readonly [string, unknown]> = [
  ['a Map', new Map([['a', 1]])],
  ['a Set', new Set([1])],
  ['a Date', new Date(0)],
  ['a RegExp', /a/],
  ['a URL', new URL('https://a.example')],
  ['a Tenant', new Tenant()],
  ['a Uint8Array', new Uint8Array(2)],
  ['a Promise', Promise.resolve(1)],
  ['a Proxy', new Proxy({}, {})],
  ['a String', new String('x')],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
  ['a BigInt', 10n],
  ['undefined', undefined],
  ['-0', -0],
  ['a number that is not finite', Number.NaN],
  ['a number that is not finite', Number.NEGATIVE_INFINITY],
  ['a whole number beyond 2^53', 2 ** 60],
  ['text with a lone surrogate', '\ud800'],
]

describe('claims that JSON cannot carry', () => {
  it.each(STRANGE)('are rejected with their path: %s', async (what, value) => {
    const { watchword } = await rig()
    const places: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
      ['claims.value', { value }],
      ['claims.a.b[2]', { a: { b: [1, 'x', value] } }],
      ['claims.list[1].deep', { list: [{}, { deep: value }] }],
    ]
    for (const [place, claims] of places) {
      const error = (await failureOf(() => watchword.issue({ ...INPUT, claims }))) as Error
      expect(error).toMatchObject({ code: 'ERR_CLAIMS_INVALID' })
      expect(error.message).toBe(
        `${place}: ${what} cannot be stored as JSON; use plain objects, arrays, strings, finite numbers, booleans or null`,
      )
    }
    expect((await watchword.tokens.list()).items).toEqual([])
  })

  it.each<readonly [string, Record<string, unknown>, RegExp]>([
    ['a hole', { list: Object.assign(new Array(3), { 0: 1, 2: 3 }) }, /^claims\.list\[1\]: a hole/],
    ['a cycle', { circle }, /^claims\.circle\.self: a value that contains itself/],
    [
      'an accessor',
      {
        a: {
          get b() {
            return ++reads
          },
        },
      },
      /^claims\.a\.b: an accessor/,
    ],
    ['a symbol key', { a: { [Symbol('x')]: 1 } }, /^claims\.a: an object with a symbol as a key/],
    [
      'a hidden property',
      { a: Object.defineProperty({}, 'b', { value: 1 }) },
      /^claims\.a\.b: a hidden/,
    ],
    [
      'an array with a field',
      { list: Object.assign([1], { x: 1 }) },
      /^claims\.list: an array with/,
    ],
    ['a toJSON', { a: { toJSON: () => 1 } }, /^claims\.a\.toJSON: a function/],
    ['a class of arrays', { list: new (class List extends Array {})() }, /^claims\.list: a List/],
    ['a key with a lone surrogate', { a: { '\ud800': 1 } }, /^claims\.a: a key with a lone/],
    [
      'a key __proto__',
      { a: JSON.parse('{"__proto__":1}') as unknown },
      /^claims\.a: an object with/,
    ],
  ])('are rejected: %s', async (_, claims, expected) => {
    const { watchword } = await rig()
    const error = (await failureOf(() => watchword.issue({ ...INPUT, claims }))) as Error
    expect(error).toMatchObject({ code: 'ERR_CLAIMS_INVALID' })
    expect(error.message).toMatch(expected)
    expect(reads).toBe(0)
  })

  it('are not named in a message when a name may be a secret', async () => {
    const { watchword } = await rig()
    const secret = `v4.local.${'x'.repeat(80)}`
    const claims = { [secret]: { value: undefined } }
    const error = (await failureOf(() => watchword.issue({ ...INPUT, claims }))) as Error
    expect(error.message).toContain('claims[…].value: undefined')
  })

  it('are the only claims rejected: plain data returns unchanged', async () => {
    const { watchword } = await rig()
    const shared = { x: [1.5, 'é', null] }
    const claims = { a: shared, b: shared, c: true, d: [], e: {}, 'f g': '"\\\n', n: -1.25e-7 }
    const { token } = await watchword.issue({ ...INPUT, claims })
    const result = watchword.verify(token)
    expect(result.ok && result.claims).toStrictEqual(claims)
    const bare = Object.assign(Object.create(null) as object, { a: 1 })
    const other = await watchword.issue({ ...INPUT, claims: { bare } })
    expect(watchword.verify(other.token)).toMatchObject({ claims: { bare: { a: 1 } } })
  })
})

const made = (value: unknown): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate: () => ({ value }) },
})

describe('the output of a schema', () => {
  it.each<readonly [string, unknown]>([
    ...STRANGE.slice(0, 9),
    ['a Headers', new Headers()],
    ['a URLSearchParams', new URLSearchParams('a=b')],
    ['a Buffer', Buffer.from('x')],
    ['a function', () => 1],
  ])('is rejected when it cannot be frozen: %s', async (what, value) => {
    const { watchword } = await rig({ claims: made({ a: [value] }) })
    const error = (await failureOf(() => watchword.issue({ ...INPUT, claims: {} }))) as Error
    expect(error.message).toBe(
      `claims.a[0]: the schema returned ${what}, which cannot be frozen; return plain objects, arrays and primitives`,
    )
    expect(error).toMatchObject({ code: 'ERR_CLAIMS_INVALID' })
  })

  it('is rejected when it hides state behind an accessor', async () => {
    const { watchword } = await rig({
      claims: made({
        get a() {
          return {}
        },
      }),
    })
    const error = (await failureOf(() => watchword.issue(INPUT))) as Error
    expect(error.message).toMatch(/^claims\.a: the schema returned an accessor/)
  })

  it('is deeply frozen when it is plain, including symbol keys and cycles', async () => {
    const key = Symbol('k')
    const value: Record<PropertyKey, unknown> = { list: [{ a: 1 }], [key]: { b: 2 } }
    value['self'] = value
    const { watchword } = await rig({ claims: made(value) })
    const { token } = await watchword.issue(INPUT)
    const result = watchword.verify(token)
    if (!result.ok) throw new Error(result.code)
    const claims = result.claims as Record<PropertyKey, unknown>
    expect(isDeepFrozen(claims['list'])).toBe(true)
    expect(Object.isFrozen(claims[key])).toBe(true)
    expect(claims['self']).toBe(claims)
  })
})

describe('claims that a schema rejects', () => {
  it('are reported separately for issues, an asynchronous schema and a throwing one', async () => {
    const tenant = z.object({ tenant: z.string().regex(/^t_/), level: z.number() })
    const { watchword } = await rig({ claims: tenant })
    const messageOf = async (claims: Record<string, unknown>, ww = watchword) =>
      ((await failureOf(() => ww.issue({ ...INPUT, claims }))) as Error).message
    const issues = await messageOf({ tenant: 'canary-value', level: 'x' })
    expect(issues).toMatch(
      /^claims\.tenant: Invalid.*; claims\.level: Invalid.*\(from your schema\)$/,
    )
    expect(issues).not.toContain('canary')
    const slow = await rig({ claims: z.object({}).refine(async () => true) })
    expect(await messageOf({}, slow.watchword)).toMatch(/asynchronous|threw/)
    const later: StandardSchemaV1 = {
      '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value }) },
    }
    expect(await messageOf({}, (await rig({ claims: later })).watchword)).toMatch(/is asynchronous/)
    const loud: StandardSchemaV1 = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => {
          throw new Error('canary')
        },
      },
    }
    expect(await messageOf({}, (await rig({ claims: loud })).watchword)).toMatch(/threw an error/)
    const quoting: StandardSchemaV1 = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => ({
          issues: [{ message: 'must be x (was "canary-9")', path: [{ key: 'a' }] }],
        }),
      },
    }
    const quoted = await messageOf({ a: 'canary-9' }, (await rig({ claims: quoting })).watchword)
    expect(quoted).toBe('claims.a: must be x (was "…") (from your schema)')
  })
})
