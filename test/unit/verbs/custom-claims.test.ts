import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, it } from 'vitest'
import { validateClaims } from '../../../src/verbs/custom-claims.js'

/** The outcome of a schema that returns this for the claims. */
function outcomeOf(result: unknown, claims: unknown = {}) {
  const validate = () => result as StandardSchemaV1.Result<unknown>
  return validateClaims({ '~standard': { version: 1, vendor: 'test', validate } }, claims)
}

const refused = (fault: string) => ({ ok: false, fault })
const issue = (message: string, ...path: unknown[]) => ({ message, path })

describe('custom claims', () => {
  it('are those that the schema returns, frozen', () => {
    const outcome = outcomeOf({ value: { tenant: { id: 7 } } })
    expect(outcome).toEqual({ ok: true, value: { tenant: { id: 7 } } })
    expect(Object.isFrozen(outcome.ok && (outcome.value as { tenant: object }).tenant)).toBe(true)
  })

  it('are rejected if the schema returns no value, or an inherited one', () => {
    for (const result of [{}, { value: undefined }, Object.create({ value: { admin: true } })])
      expect(outcomeOf(result)).toEqual(refused('claims: the schema returned no value'))
  })

  it('are rejected if the schema is asynchronous, without an unhandled rejection', () => {
    const message = /^claims: the schema is asynchronous/
    const thenable = Object.fromEntries([['then', () => undefined]])
    for (const result of [Promise.reject(new Error('late')), thenable])
      expect(outcomeOf(result)).toMatchObject({ fault: expect.stringMatching(message) })
  })

  it('are rejected if the schema returns a value that cannot be frozen', () => {
    expect(outcomeOf({ value: { at: new Date() } })).toMatchObject({
      ok: false,
      fault: expect.stringMatching(
        /^claims\.at: the schema returned a Date, which cannot be frozen/,
      ),
    })
  })
})

describe('the fault of rejected claims', () => {
  it('names the path of each issue, in every form of its steps', () => {
    const issues = [
      issue('expected a string', 'tenant', { key: 'roles' }, 0),
      issue('expected a string', 'tenant', 'roles', '12'),
      { message: 'expected an object' },
    ]
    expect(outcomeOf({ issues })).toEqual(
      refused(
        'claims.tenant.roles[0]: expected a string; claims.tenant.roles[12]: expected a string; claims: expected an object (from your schema)',
      ),
    )
  })

  it('is limited to three issues', () => {
    const issues = [1, 2, 3, 4].map((number) => issue(`fault ${number}`, 'a'))
    expect(outcomeOf({ issues })).toEqual(
      refused('claims.a: fault 1; claims.a: fault 2; claims.a: fault 3 (from your schema)'),
    )
  })

  it('repeats no value of the claims, and leaves other text as it is', () => {
    const claims = { name: 'canary', more: ['canary-long', 42, ''], flag: true, none: null }
    const issues = [issue('got canary-long, canary and 42, not true or null', 'name')]
    expect(outcomeOf({ issues }, claims)).toEqual(
      refused('claims.name: got …, … and …, not true or null (from your schema)'),
    )
  })

  it('repeats nothing of what the schema throws', () => {
    const validate = () => {
      throw new Error('canary')
    }
    expect(
      validateClaims({ '~standard': { version: 1, vendor: 'test', validate } }, { a: 'canary' }),
    ).toEqual(refused('claims: the schema threw an error; it must return issues instead'))
  })
})
