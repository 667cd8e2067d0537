import { describe, expect, it, vi } from 'vitest'
import type { LogPosition, Requirement, Verified } from '../../../src/types.js'
import {
  CompiledRequirement,
  compileInline,
  compileRequirement,
  MAX_BINDING_LENGTH,
  missingScopes,
  NO_REQUIREMENT,
  satisfies,
  unmetBy,
} from '../../../src/verbs/requirement.js'
import { failureOf, isDeepFrozen } from '../../support/harness.js'

const EPOCH = 'AAAAAAAAAAAAAAAAAAAAAA'

/** Compiles a requirement of any form. */
const compile = (requirement: unknown) => compileRequirement(requirement as Requirement)

/** The message of the error that compiling ends with, without the words that all of them share. */
async function mistake(requirement: unknown): Promise<string> {
  const error = await failureOf(() => compile(requirement))
  expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  return (error as Error).message
}

/** What a compiled requirement requires. */
const partsOf = ({
  allOf,
  anyOf,
  audience,
  binding,
  maxStalenessMs,
  minPosition,
  fromStore,
}: CompiledRequirement) => ({
  allOf,
  anyOf,
  audience,
  binding,
  maxStalenessMs,
  minPosition,
  fromStore,
})

const NOTHING = {
  allOf: [],
  anyOf: [],
  audience: undefined,
  binding: '',
  maxStalenessMs: undefined,
  minPosition: undefined,
  fromStore: false,
}

describe('a compiled requirement', () => {
  it('requires what its fields say, and nothing else', () => {
    expect(partsOf(NO_REQUIREMENT)).toEqual(NOTHING)
    expect(partsOf(compile({}))).toEqual(NOTHING)
    const cases: ReadonlyArray<readonly [object, object]> = [
      [{ audience: 'orders-api' }, { audience: 'orders-api' }],
      [{ binding: 'thumbprint' }, { binding: 'thumbprint' }],
      [{ maxStaleness: '2s' }, { maxStalenessMs: 2000 }],
      [{ maxStaleness: 0 }, { maxStalenessMs: 0 }],
      [{ freshness: 'store' }, { fromStore: true }],
      [{ minPosition: { epoch: EPOCH, seq: 7 } }, { minPosition: { epoch: EPOCH, seq: 7 } }],
      [{ scopes: ['a', 'b'] }, { allOf: ['a', 'b'] }],
      [{ scopes: { allOf: ['a'] } }, { allOf: ['a'] }],
      [{ scopes: { anyOf: ['a'] } }, { anyOf: ['a'] }],
      [{ scopes: { allOf: ['a'], anyOf: ['b', 'c'] } }, { allOf: ['a'], anyOf: ['b', 'c'] }],
    ]
    for (const [requirement, parts] of cases) {
      const compiled = compile(requirement)
      expect(partsOf(compiled)).toEqual({ ...NOTHING, ...parts })
      expect(isDeepFrozen(compiled)).toBe(true)
    }
  })

  it('reports all scopes that it names', () => {
    expect(compile({ scopes: ['a', 'b'] }).demanded).toEqual(['a', 'b'])
    expect(compile({ scopes: { anyOf: ['b'] } }).demanded).toEqual(['b'])
    expect(compile({ scopes: { allOf: ['a'], anyOf: ['b'] } }).demanded).toEqual(['a', 'b'])
    expect(compile({}).demanded).toEqual([])
    expect(isDeepFrozen(compile({ scopes: { anyOf: ['b'] } }).demanded)).toBe(true)
  })

  it('is recognized as one, and no other value is', () => {
    expect(compile({})).toBeInstanceOf(CompiledRequirement)
    const others = [null, undefined, 1, 'a', {}, Object.create(CompiledRequirement.prototype)]
    for (const other of others) expect(other instanceof CompiledRequirement).toBe(false)
  })

  it('keeps its scopes when the caller changes the list later', () => {
    const scopes = ['a']
    const compiled = compile({ scopes })
    scopes.push('b')
    expect(compiled.allOf).toEqual(['a'])
  })

  it('ignores the other fields of a position', () => {
    const position = { epoch: EPOCH, seq: 7, other: 1 } as LogPosition
    expect(compile({ minPosition: position }).minPosition).toEqual({ epoch: EPOCH, seq: 7 })
  })
})

describe('a requirement that cannot be compiled', () => {
  it('is no object, or is an array, or is compiled or copied from a compiled one', async () => {
    const bad = [
      null,
      undefined,
      0,
      'orders:read',
      [],
      ['a'],
      compile({}),
      Object.create(compile({})),
    ]
    for (const each of bad)
      expect(await mistake(each)).toMatch(
        /^requirement: expected an object such as \{ scopes: \[…\] \}/,
      )
  })

  it('is described by the field and the fault', async () => {
    const cases: ReadonlyArray<readonly [unknown, RegExp]> = [
      [{ scope: ['a'] }, /^requirement: unknown field 'scope'.*scopes/],
      [{ audience: undefined }, /^audience: .*undefined/],
      [{ audience: '' }, /^audience: expected a name, got/],
      [{ audience: 'a'.repeat(257) }, /^audience: expected a name, got/],
      [{ binding: '' }, /^binding: expected 1 to 1024 characters/],
      [{ binding: 'a'.repeat(MAX_BINDING_LENGTH + 1) }, /^binding: expected 1 to 1024 characters/],
      [{ freshness: 'feed' }, /^freshness: expected 'store', got 'feed'/],
      [{ maxStaleness: '5' }, /^maxStaleness: expected a duration such as '500ms'/],
      [{ maxStaleness: null }, /^maxStaleness: expected a duration such as '500ms'/],
      [{ scopes: null }, /^scopes: expected a list, or \{ allOf, anyOf \}, got null/],
      [{ scopes: 'a' }, /^scopes: expected a list, or \{ allOf, anyOf \}, got 'a'/],
      [{ scopes: {} }, /^scopes: expected allOf, anyOf or both; to require none, omit the field/],
      [{ scopes: [] }, /^scopes: expected at least one scope; to require none, omit the field/],
      [{ scopes: { any: ['a'] } }, /^scopes: unknown field 'any'/],
      [{ scopes: { allOf: undefined } }, /^scopes\.allOf: .*undefined/],
      [{ scopes: { allOf: ['a'], anyOf: undefined } }, /^scopes\.anyOf: .*undefined/],
      [{ scopes: { allOf: [] } }, /^scopes\.allOf: expected at least one scope/],
      [{ scopes: { anyOf: [] } }, /^scopes\.anyOf: expected at least one scope/],
      [{ scopes: { allOf: 'a' } }, /^scopes\.allOf\.0: expected a scope such as 'orders:read'/],
      [{ scopes: ['a b'] }, /^scopes\.0: expected a scope such as 'orders:read', got 'a b'/],
      [{ scopes: ['a', 'b c'] }, /^scopes\.1: expected a scope such as 'orders:read', got 'b c'/],
      [{ scopes: ['a', 'b', 7] }, /^scopes\.2: expected a scope such as 'orders:read', got 7/],
      [{ scopes: new Array(1) }, /^scopes\.0: expected a scope/],
    ]
    for (const [requirement, message] of cases) expect(await mistake(requirement)).toMatch(message)
  })

  it('has a position that is not that of a receipt', async () => {
    const bad = [
      null,
      7,
      EPOCH,
      {},
      { seq: 7 },
      { epoch: EPOCH },
      { epoch: EPOCH.slice(1), seq: 7 },
      { epoch: `${EPOCH}A`, seq: 7 },
      { epoch: [EPOCH], seq: 7 },
      { epoch: EPOCH, seq: '7' },
      { epoch: EPOCH, seq: 7.5 },
      { epoch: EPOCH, seq: 2 ** 53 },
    ]
    for (const minPosition of bad)
      expect(await mistake({ minPosition })).toBe(
        'minPosition: expected the position of a receipt: { epoch, seq }',
      )
  })

  it('is within the limits of length for a name and a binding of exactly the longest length', () => {
    expect(compile({ audience: 'a'.repeat(256) }).audience).toHaveLength(256)
    expect(MAX_BINDING_LENGTH).toBe(1024)
    expect(compile({ binding: 'a'.repeat(1024) }).binding).toHaveLength(1024)
  })
})

describe('an inline requirement', () => {
  it('of exactly one scope is compiled once for all calls', () => {
    const compiled = compileInline({ scopes: ['inline:once'] })
    expect(compileInline({ scopes: ['inline:once'] })).toBe(compiled)
    expect(partsOf(compiled)).toEqual({ ...NOTHING, allOf: ['inline:once'] })
    expect(compileInline({ scopes: ['inline:other'] }).allOf).toEqual(['inline:other'])
  })

  it('is cached for the first thousand scopes of a process, and compiled each time for others', async () => {
    vi.resetModules()
    const { compileInline } = await import('../../../src/verbs/requirement.js')
    const requirement = (i: number) => ({ scopes: [`scope:${i}`] })
    const first = Array.from({ length: 1001 }, (_, i) => compileInline(requirement(i)))
    expect(compileInline(requirement(0))).toBe(first[0])
    expect(compileInline(requirement(999))).toBe(first[999])
    expect(compileInline(requirement(1000))).not.toBe(first[1000])
    expect(compileInline(requirement(1000))).toEqual(first[1000])
  })

  it('of any other form is compiled as a whole', () => {
    const all: readonly Requirement[] = [
      {},
      { scopes: ['inline:a', 'inline:b'] },
      { scopes: { allOf: ['inline:a'] } },
      { scopes: { anyOf: ['inline:a'] } },
      { scopes: ['inline:a'], audience: 'orders-api' },
      { scopes: ['inline:a'], binding: 'thumbprint' },
      { scopes: ['inline:a'], maxStaleness: '1s' },
      { scopes: ['inline:a'], minPosition: { epoch: EPOCH, seq: 7 } },
      { scopes: ['inline:a'], freshness: 'store' },
    ]
    for (const each of all)
      expect(partsOf(compileInline(each))).toEqual(partsOf(compileRequirement(each)))
  })

  it('counts with fields that are not enumerable', () => {
    const fields = {
      audience: 'orders-api',
      binding: 'thumbprint',
      maxStaleness: '1s',
      minPosition: { epoch: EPOCH, seq: 7 },
      freshness: 'store',
    }
    for (const [field, value] of Object.entries(fields)) {
      const requirement = Object.defineProperty({ scopes: ['inline:a'] }, field, { value })
      expect(partsOf(compileInline(requirement))).toEqual(
        partsOf(compile({ scopes: ['inline:a'], [field]: value })),
      )
    }
  })

  it('fails as it does when it is compiled', async () => {
    const bad = [
      null,
      undefined,
      5,
      'inline:a',
      [],
      { scopes: [] },
      { scopes: [7] },
      { scopes: ['a b'] },
    ]
    for (const each of bad) {
      const error = await failureOf(() => compileInline(each as Requirement))
      expect(error).toEqual(await failureOf(() => compile(each)))
    }
    const typo = { scopes: ['inline:a'], audiense: 'x' } as Requirement
    expect(() => compileInline(typo)).toThrow(/unknown field 'audiense'/)
  })
})

describe('the scopes of a token', () => {
  const met = (granted: readonly string[], scopes: Requirement['scopes']) => {
    const requirement = compile({ scopes })
    const missing = missingScopes(granted, requirement)
    expect(isDeepFrozen(missing)).toBe(true)
    expect(satisfies(granted, requirement)).toBe(missing.length === 0)
    return missing
  }

  it('satisfy a requirement of all scopes only if each is covered', () => {
    expect(met(['a', 'b'], ['a', 'b'])).toEqual([])
    expect(met(['*'], ['a', 'b'])).toEqual([])
    expect(met(['c:*'], ['a', 'b'])).toEqual(['a', 'b'])
    expect(met(['a'], ['a', 'b'])).toEqual(['b'])
    expect(met(['b'], ['a', 'b'])).toEqual(['a'])
    expect(met([], ['a', 'b'])).toEqual(['a', 'b'])
  })

  it('satisfy a requirement of any scope if one is covered', () => {
    expect(met(['a'], { anyOf: ['a', 'b'] })).toEqual([])
    expect(met(['b'], { anyOf: ['a', 'b'] })).toEqual([])
    expect(met(['a'], { anyOf: ['a'] })).toEqual([])
    expect(met(['c'], { anyOf: ['a', 'b'] })).toEqual(['a', 'b'])
    expect(met(['c'], { anyOf: ['a'] })).toEqual(['a'])
    expect(met(['*'], { anyOf: ['a', 'b'] })).toEqual([])
    expect(met(['c:*'], { anyOf: ['a', 'b'] })).toEqual(['a', 'b'])
  })

  it('satisfy both lists together', () => {
    expect(met(['a', 'c'], { allOf: ['a'], anyOf: ['b', 'c'] })).toEqual([])
    expect(met(['c'], { allOf: ['a'], anyOf: ['b', 'c'] })).toEqual(['a'])
    expect(met(['a'], { allOf: ['a'], anyOf: ['b', 'c'] })).toEqual(['b', 'c'])
    expect(met([], { allOf: ['a'], anyOf: ['b'] })).toEqual(['a', 'b'])
  })

  it('always satisfy a requirement without scopes', () => {
    expect(satisfies([], NO_REQUIREMENT)).toBe(true)
    expect(missingScopes([], NO_REQUIREMENT)).toEqual([])
  })
})

describe('a token', () => {
  const token = { audience: 'orders-api', scopes: ['a'] } as unknown as Verified<unknown>

  it('is rejected for the audience before the scopes, and then with the missing scopes', () => {
    expect(unmetBy(token, compile({ scopes: ['a'], audience: 'orders-api' }))).toBeUndefined()
    expect(unmetBy(token, compile({ scopes: ['a'] }))).toBeUndefined()
    expect(unmetBy(token, compile({ scopes: ['b'], audience: 'stock-api' }))).toEqual({
      ok: false,
      code: 'wrong_audience',
    })
    const unmet = unmetBy(token, compile({ scopes: ['b'], audience: 'orders-api' }))
    expect(unmet).toEqual({ ok: false, code: 'insufficient_scope', missing: ['b'] })
    expect(isDeepFrozen(unmet)).toBe(true)
  })
})

describe('the warning about an invalid requirement', () => {
  it('is emitted once for each fault of a process, regardless of the value that was passed', async () => {
    vi.resetModules()
    const { warnOfRequirement } = await import('../../../src/verbs/requirement.js')
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    try {
      warnOfRequirement("freshness: expected 'store', got 'feed'")
      warnOfRequirement("freshness: expected 'store', got 'log'")
      warnOfRequirement('scopes: expected a list')
      const about = 'a requirement passed to verify is invalid, so every token is rejected'
      expect(emit.mock.calls.map(([message]) => message)).toEqual([
        `${about}: freshness: expected 'store', got 'feed'`,
        `${about}: scopes: expected a list`,
      ])
    } finally {
      emit.mockRestore()
    }
  })
})
