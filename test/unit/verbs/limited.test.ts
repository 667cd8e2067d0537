/**
 * What restrictions leave of one token.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { limitsOf, type RestrictionState } from '../../../src/policy/limits.js'
import type { Requirement, Verified } from '../../../src/types.js'
import { limitedBy } from '../../../src/verbs/limited.js'
import { compileRequirement, NO_REQUIREMENT } from '../../../src/verbs/requirement.js'
import { answerOf, unmetWithin } from '../../../src/verbs/unmet-within.js'

const token: Verified<unknown> = Object.freeze({
  ok: true,
  id: 'i',
  subject: 's',
  audience: 'orders-api',
  scopes: Object.freeze(['orders:*', 'users:read']),
  policy: 'p',
  family: 'f',
  generation: 0,
  issuedAt: 0,
  expiresAt: 1,
  rotateAt: 1,
  keyId: 'k',
  claims: {},
})

function limited(...states: readonly RestrictionState[]) {
  const limits = limitsOf(states, 0)
  if (limits === undefined) throw new Error('no limits')
  return limitedBy(token, limits)
}

const unmet = (states: readonly RestrictionState[], requirement: Requirement) =>
  unmetWithin(limited(...states), compileRequirement(requirement))

const until = null

describe('a restricted token', () => {
  it('has the scopes that every list covers', () => {
    const a = { enforced: { to: ['orders:*', 'stock:read'], until } }
    const b = { enforced: { to: ['orders:read', 'users:read'], until } }
    expect(limited(a).shown.scopes).toEqual(['orders:*'])
    expect(limited(a, b).shown.scopes).toEqual(['orders:read'])
    expect(Object.isFrozen(limited(a).shown)).toBe(true)
  })

  it('is the same object if it loses nothing', () => {
    expect(limited({ enforced: { to: ['*'], until } }).shown).toBe(token)
    expect(limited({ suspended: { until } }).shown).toBe(token)
  })

  it('does not meet a requirement that is denied, and meets the rest of a wildcard', () => {
    const states = [{ enforced: { deny: ['*:write'], until } }]
    expect(limited(...states).shown.scopes).toEqual(['users:read'])
    expect(unmet(states, { scopes: ['orders:read'] })).toBeUndefined()
    expect(unmet(states, { scopes: ['orders:write', 'users:read'] })).toEqual({
      ok: false,
      code: 'insufficient_scope',
      missing: ['orders:write'],
    })
    expect(unmet(states, { scopes: ['orders:*'] })).toMatchObject({ missing: ['orders:*'] })
    expect(unmet(states, { scopes: { anyOf: ['orders:write', 'orders:read'] } })).toBeUndefined()
    expect(unmet(states, { scopes: { anyOf: ['a:write', 'orders:write'] } })).toMatchObject({
      missing: ['a:write', 'orders:write'],
    })
  })

  it('is rejected for another audience before its scopes are compared', () => {
    const states = [{ enforced: { to: ['orders:read'], until } }]
    expect(unmet(states, { audience: 'stock-api' })).toEqual({ ok: false, code: 'wrong_audience' })
    expect(unmet(states, { audience: 'orders-api' })).toBeUndefined()
  })

  it('on trial passes, and says what would have refused it', () => {
    const trial = limited({ reported: { to: ['users:read'], until } })
    const write = compileRequirement({ scopes: ['orders:write'] })
    expect(trial.shown).toBe(token)
    expect(unmetWithin(trial, write)).toBeUndefined()
    expect(answerOf(trial, write)).toEqual({ ...token, wouldRefuse: 'insufficient_scope' })
    expect(answerOf(trial, NO_REQUIREMENT)).toBe(token)
    expect(answerOf(limited({ suspended: { until } }), write)).toBe(token)
  })
})
