/**
 * The laws of restrictions: they never widen, and their order does not matter.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedScopes } from '../../../src/policy/bounded-scopes.js'
import {
  type Limits,
  limitsOf,
  type RestrictionState,
  type ScopeLimit,
} from '../../../src/policy/limits.js'
import { normalisePatterns, readState, writeState } from '../../../src/policy/restriction.js'
import { coveredByAny, normaliseScopes } from '../../../src/policy/scopes.js'
import { runs } from '../../support/runs.js'

const NOW = 1000
const until = fc.constantFrom(null, 1, NOW, NOW + 1, 5000)
const name = fc.constantFrom('a', 'b', 'c')
const plain = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join(':'))
const scope = fc.oneof(
  plain,
  plain.map((text) => `${text}:*`),
  fc.constant('*'),
)
const pattern = fc
  .array(fc.constantFrom('a', 'b', 'c', '*'), { minLength: 1, maxLength: 3 })
  .map((names) => names.join(':'))
const scopes = fc.array(scope, { minLength: 1, maxLength: 4 }).map(normaliseScopes)
const limit: fc.Arbitrary<ScopeLimit> = fc
  .record(
    {
      to: scopes,
      deny: fc.array(pattern, { minLength: 1, maxLength: 3 }).map(normalisePatterns),
      until,
    },
    { requiredKeys: ['until'] },
  )
  .filter(({ to, deny }) => (to ?? deny) !== undefined)
const term = fc.record({ until })
const state: fc.Arbitrary<RestrictionState> = fc.record(
  { enforced: limit, reported: limit, suspended: term, issue: term, rotate: term },
  { requiredKeys: [] },
)
const states = fc.array(state, { maxLength: 4 })

/** What a token with these scopes may do, for comparison. */
function decisionsOf(limits: Limits | undefined, granted: readonly string[]) {
  if (limits === undefined) return (demanded: string) => coveredByAny(granted, demanded)
  const bounded = new BoundedScopes(granted, limits)
  return (demanded: string) => !limits.suspended && bounded.covers(demanded)
}

describe('restrictions', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(state, (drawn) => {
        expect(readState(writeState(drawn))).toEqual(drawn)
      }),
      { numRuns: runs(1000) },
    )
  })

  it('never widen what a token may do, nor does one more of them', () => {
    fc.assert(
      fc.property(states, state, scopes, scope, (drawn, more, granted, demanded) => {
        const few = decisionsOf(limitsOf(drawn, NOW), granted)(demanded)
        const many = decisionsOf(limitsOf([...drawn, more], NOW), granted)(demanded)
        expect(!few || coveredByAny(granted, demanded)).toBe(true)
        expect(!many || few).toBe(true)
      }),
      { numRuns: runs(10_000) },
    )
  })

  it('amount to the same in any order', () => {
    fc.assert(
      fc.property(
        states.chain((list) =>
          fc.tuple(
            fc.constant(list),
            fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
          ),
        ),
        scopes,
        scope,
        ([list, shuffled], granted, demanded) => {
          const [a, b] = [limitsOf(list, NOW), limitsOf(shuffled, NOW)]
          expect(a?.until).toBe(b?.until)
          expect(a?.suspended).toBe(b?.suspended)
          expect(decisionsOf(a, granted)(demanded)).toBe(decisionsOf(b, granted)(demanded))
          if (a === undefined || b === undefined) return
          expect([...new BoundedScopes(granted, a).list].sort()).toEqual(
            [...new BoundedScopes(granted, b).list].sort(),
          )
        },
      ),
      { numRuns: runs(2000) },
    )
  })

  it('list no scope that they would refuse', () => {
    fc.assert(
      fc.property(states, scopes, scope, (drawn, granted, demanded) => {
        const limits = limitsOf(drawn, NOW)
        if (limits === undefined) return
        const bounded = new BoundedScopes(granted, limits)
        if (coveredByAny(bounded.list, demanded)) expect(bounded.covers(demanded)).toBe(true)
        for (const each of bounded.list) expect(bounded.covers(each)).toBe(true)
      }),
      { numRuns: runs(5000) },
    )
  })

  it('stay the same until the time at which they have to be computed again', () => {
    fc.assert(
      fc.property(states, fc.nat({ max: 6000 }), (drawn, later) => {
        const limits = limitsOf(drawn, NOW)
        if (limits === undefined || NOW + later >= limits.until) return
        expect(limitsOf(drawn, NOW + later)).toEqual(limits)
      }),
      { numRuns: runs(2000) },
    )
  })

  it('narrow on trial at least as much as without it', () => {
    fc.assert(
      fc.property(states, scopes, scope, (drawn, granted, demanded) => {
        const limits = limitsOf(drawn, NOW)
        if (limits?.trial === undefined) return
        const [now, tried] = [limits, limits.trial].map((each) => new BoundedScopes(granted, each))
        expect(tried?.covers(demanded) !== true || now?.covers(demanded) === true).toBe(true)
      }),
      { numRuns: runs(2000) },
    )
  })
})
