/**
 * The laws of the scope language.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  coveredByAny,
  covers,
  intersectScopes,
  isScope,
  normaliseScopes,
  uncovered,
} from '../../../src/policy/scopes.js'
import { compileRequirement, missingScopes, satisfies } from '../../../src/verbs/requirement.js'
import { runs } from '../../support/runs.js'

// Few names, so that scopes meet often.
const segment = fc.constantFrom('a', 'b', 'A', 'aa', 'a.b', 'orders', 'read', '-', '~', '_')
const plain = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join(':'))
const wild = fc.array(segment, { maxLength: 3 }).map((segments) => [...segments, '*'].join(':'))
const scope = fc.oneof(plain, wild)
const scopes = fc.array(scope, { maxLength: 8 })

/** Coverage as the documentation defines it, without regard to speed. */
function coversNaively(granted: string, demanded: string): boolean {
  if (granted === demanded) return true
  const stem = granted.split(':')
  if (stem.pop() !== '*') return false
  const segments = demanded.split(':')
  return segments.length > stem.length && stem.every((each, i) => segments[i] === each)
}

describe('covers', () => {
  it('follows the documentation', () => {
    fc.assert(
      fc.property(scope, scope, (a, b) => covers(a, b) === coversNaively(a, b)),
      { numRuns: runs(20_000) },
    )
  })

  it('is reflexive, and transitive', () => {
    fc.assert(
      fc.property(scope, (a) => covers(a, a)),
      { numRuns: runs(1000) },
    )
    let chains = 0
    fc.assert(
      fc.property(scope, scope, scope, (a, b, c) => {
        if (!covers(a, b) || !covers(b, c)) return true
        chains++
        return covers(a, c)
      }),
      { numRuns: runs(20_000, 20_000) },
    )
    expect(chains).toBeGreaterThan(100)
  })

  it('is antisymmetric: two scopes that cover each other are equal', () => {
    fc.assert(
      fc.property(scope, scope, (a, b) => !covers(a, b) || !covers(b, a) || a === b),
      { numRuns: runs(20_000) },
    )
  })

  it('never results from a prefix, a suffix, case or white space (B33)', () => {
    const never: ReadonlyArray<readonly [string, string]> = [
      ['orders:read', 'ordersx:read'],
      ['orders:read', 'orders:readx'],
      ['orders:read', 'orders:read:x'],
      ['orders:read', 'Orders:read'],
      ['orders:read', 'orders:READ'],
      ['orders:read', 'xorders:read'],
      ['orders:read:x', 'orders:read'],
      ['orders', 'orders:read'],
      ['orders:*', 'orders'],
      ['orders:*', 'ordersx:read'],
      ['orders:*', 'order:s'],
      ['orders:*', '*'],
      ['orders:a:*', 'orders:*'],
      ['orders:a:*', 'orders:a'],
      ['orders:a:*', 'orders:ab:c'],
      ['a', '*'],
    ]
    for (const [granted, demanded] of never) {
      expect(isScope(granted) && isScope(demanded)).toBe(true)
      expect(covers(granted, demanded), `${granted} covers ${demanded}`).toBe(false)
    }
    const spaced = ['admin ', ' admin', 'admin\n', 'admin\0', 'admin\u200b', 'ａdmin']
    for (const text of spaced) expect(isScope(text)).toBe(false)
  })

  it('lets a wildcard cover any depth, and `*` everything', () => {
    fc.assert(
      fc.property(scope, plain, (each, stem) => {
        const below = `${stem}:${each}`
        return covers('*', each) && covers(`${stem}:*`, below)
      }),
    )
  })
})

describe('isScope', () => {
  it('accepts `*` only as a whole last segment', () => {
    const good = ['*', 'a', 'a:*', 'a:b:*', 'a.b-c_d~e:F9', 'a:b:c:d:e:f:g:h', 'a:b:c:d:e:f:g:*']
    const bad = [
      ...['', ':', 'a:', ':a', 'a::b', '**', 'a*', '*a', '*:a', 'a:*:b', 'a:b*', 'a:**'],
      ...['a:b:c:d:e:f:g:h:i', 'a b', 'a/b', 'a,b', 'a+b', 'a%b', 'é', `a\nb`, 'a:\u0430'],
      'a'.repeat(129),
    ]
    for (const text of good) expect(isScope(text), text).toBe(true)
    for (const text of bad) expect(isScope(text), text).toBe(false)
    for (const value of [null, undefined, 1, ['a'], { toString: () => 'a' }, new String('a')]) {
      expect(isScope(value)).toBe(false)
    }
  })

  it('rejects text that is joined or split by anything but a colon', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        if (!isScope(text)) return true
        return text.split(':').every((part, i, all) => {
          return /^[A-Za-z0-9._~-]+$/.test(part) || (part === '*' && i === all.length - 1)
        })
      }),
      { numRuns: runs(20_000) },
    )
  })
})

describe('normaliseScopes', () => {
  it('keeps exactly what is covered', () => {
    fc.assert(
      fc.property(scopes, scope, (list, asked) => {
        return coveredByAny(normaliseScopes(list), asked) === coveredByAny(list, asked)
      }),
      { numRuns: runs(20_000) },
    )
  })

  it('is idempotent, sorted, without duplicates, and selects only from the list', () => {
    fc.assert(
      fc.property(scopes, (list) => {
        const once = normaliseScopes(list)
        expect(normaliseScopes(once)).toEqual(once)
        expect(once).toEqual([...new Set(once)].sort())
        expect(once.every((each) => list.includes(each))).toBe(true)
        expect(once.some((a) => once.some((b) => a !== b && covers(a, b)))).toBe(false)
      }),
      { numRuns: runs(2000) },
    )
  })

  it('ignores the order, and does not change its input', () => {
    fc.assert(
      fc.property(scopes, (list) => {
        const before = Object.freeze([...list])
        expect(normaliseScopes([...list].reverse())).toEqual(normaliseScopes(before))
      }),
      { numRuns: runs(1000) },
    )
  })
})

describe('a required scope', () => {
  it('that is met by some scopes is met by wider ones', () => {
    fc.assert(
      fc.property(scopes, scopes, scopes, (narrow, more, demanded) => {
        if (uncovered(narrow, demanded).length > 0) return true
        return uncovered([...more, ...narrow], demanded).length === 0
      }),
      { numRuns: runs(5000) },
    )
  })

  it('cannot be met by narrowing: what a part allows, the whole allows', () => {
    fc.assert(
      fc.property(scopes, scopes, scope, (granted, asked, wanted) => {
        const successor = asked.filter((each) => coveredByAny(granted, each))
        return !coveredByAny(successor, wanted) || coveredByAny(granted, wanted)
      }),
      { numRuns: runs(20_000) },
    )
  })

  it('is met exactly when nothing is missing, and the empty grant meets only the empty requirement', () => {
    const any = fc.option(fc.array(scope, { minLength: 1, maxLength: 4 }), { nil: undefined })
    fc.assert(
      fc.property(scopes, scopes, any, (granted, allOf, anyOf) => {
        const needs = compileRequirement(
          allOf.length === 0 && anyOf === undefined
            ? {}
            : {
                scopes: {
                  ...(allOf.length === 0 ? {} : { allOf }),
                  ...(anyOf === undefined ? {} : { anyOf }),
                },
              },
        )
        const met =
          uncovered(granted, allOf).length === 0 &&
          (anyOf === undefined || anyOf.some((each) => coveredByAny(granted, each)))
        expect(satisfies(granted, needs)).toBe(met)
        expect(missingScopes(granted, needs).length === 0).toBe(met)
        expect(satisfies([], needs)).toBe(allOf.length === 0 && anyOf === undefined)
      }),
      { numRuns: runs(5000) },
    )
  })
})

describe('the intersection of two lists', () => {
  it('covers exactly what both cover, for any requirement', () => {
    fc.assert(
      fc.property(scopes, scopes, scope, (granted, bounds, demanded) => {
        const common = intersectScopes(granted, bounds)
        const expected = coveredByAny(granted, demanded) && coveredByAny(bounds, demanded)
        expect(coveredByAny(common, demanded)).toBe(expected)
        expect(intersectScopes(common, bounds)).toBe(common)
        expect(intersectScopes(granted, ['*'])).toBe(granted)
        expect(intersectScopes(granted, [])).toEqual([])
        expect(normaliseScopes(intersectScopes(bounds, granted))).toEqual(normaliseScopes(common))
      }),
      { numRuns: 5000 },
    )
  })
})
