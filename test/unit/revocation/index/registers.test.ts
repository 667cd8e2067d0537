/**
 * Registers of restrictions in the index: which revision counts, and which tokens it reaches.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { writeState } from '../../../../src/policy/restriction.js'
import type { RestrictedEntry } from '../../../../src/revocation/index/entries.js'
import { combine, reachesFurther, targetOf } from '../../../../src/revocation/index/entries.js'
import { RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import { factsOf, ID, NOW } from '../../../support/index-entries.js'

const SUSPENDED = writeState({ suspended: { until: null } })
const OTHER = '01JGFJJZ00ABCDEFGHJKMNPQRT'

const register = (change: Partial<RestrictedEntry> = {}): RestrictedEntry => ({
  kind: 'restricted',
  target: 'subject',
  value: 's',
  descent: null,
  revision: 1,
  state: SUSPENDED,
  expiresAt: NOW + 1000,
  ...change,
})

const isSuspended = (index: RevocationIndex, changes = {}) =>
  index.registers.limits({ ...factsOf(ID), ...changes }, NOW)?.suspended === true

function indexOf(...entries: readonly RestrictedEntry[]): RevocationIndex {
  const index = new RevocationIndex()
  for (const entry of entries) index.apply(entry)
  return index
}

describe('a register', () => {
  it.each([
    ['subject', 's', { subject: 'other' }],
    ['audience', 'a', { audience: 'other' }],
    ['family', ID, { family: OTHER }],
    ['token', ID, { id: OTHER }],
  ] as const)('of a %s reaches its tokens and no others', (target, value, others) => {
    const index = indexOf(register({ target, value }))
    expect(isSuspended(index)).toBe(true)
    expect(isSuspended(index, others)).toBe(false)
  })

  it('of a token reaches its successors and not its predecessors', () => {
    const descent = { family: ID, generation: 3 }
    const index = indexOf(register({ target: 'token', value: OTHER, descent }))
    expect(isSuspended(index, { generation: 4 })).toBe(true)
    expect(isSuspended(index, { generation: 3 })).toBe(true)
    expect(isSuspended(index, { generation: 2 })).toBe(false)
    expect(isSuspended(index, { generation: 4, family: OTHER })).toBe(false)
    index.apply(register({ target: 'token', value: OTHER, descent, revision: 2, state: '{}' }))
    expect(isSuspended(index, { generation: 4 })).toBe(false)
  })

  it('moves with a later revision that knows its family', () => {
    const index = indexOf(register({ target: 'token', value: OTHER }))
    expect(isSuspended(index, { generation: 1 })).toBe(false)
    const descent = { family: ID, generation: 0 }
    index.apply(register({ target: 'token', value: OTHER, revision: 2, descent }))
    expect(isSuspended(index, { generation: 1 })).toBe(true)
  })

  it('has the state of its highest revision, regardless of what arrives later', () => {
    const index = indexOf(register({ revision: 3, state: '{}' }), register({ revision: 2 }))
    expect(isSuspended(index)).toBe(false)
    expect(index.registers.get({ kind: 'subject', value: 's' })?.revision).toBe(3)
    expect(index.size).toBe(1)
    index.apply(register({ revision: 4 }))
    expect(isSuspended(index)).toBe(true)
  })

  it('never has a lifted state if another one has the same revision', () => {
    const [lifted, held] = [register({ state: '{}' }), register()]
    expect(isSuspended(indexOf(lifted, held))).toBe(true)
    expect(isSuspended(indexOf(held, lifted))).toBe(true)
    expect(reachesFurther(held, lifted)).toBe(true)
    expect(combine(lifted, held)).toEqual(held)
    expect(targetOf(held)).toBe(targetOf(lifted))
  })

  it('is suspended if one of two states with the same revision is', () => {
    const limit = { to: ['suspended'], until: null }
    const limited = register({ state: writeState({ enforced: limit }) })
    const both = register({ state: writeState({ enforced: limit, suspended: { until: null } }) })
    for (const held of [register(), both]) {
      expect(isSuspended(indexOf(limited, held))).toBe(true)
      expect(isSuspended(indexOf(held, limited))).toBe(true)
      expect([reachesFurther(held, limited), reachesFurther(limited, held)]).toEqual([true, false])
    }
  })

  it('changes the version only if its state changes', () => {
    const index = indexOf(register())
    const { version } = index
    index.apply(register())
    index.apply(register({ expiresAt: NOW + 2000 }))
    expect(index.version).toBe(version)
    expect(index.registers.get({ kind: 'subject', value: 's' })?.expiresAt).toBe(NOW + 2000)
    index.apply(register({ revision: 2 }))
    expect(index.version).toBe(version + 1)
  })

  it('suspends and freezes if its state is of another version, and reports it', () => {
    let reported = 0
    const index = new RevocationIndex({ onUnreadable: () => reported++ })
    index.apply(register({ state: '{"future":1}' }))
    index.apply(register({ target: 'freeze', value: '', state: 'nonsense' }))
    expect(isSuspended(index)).toBe(true)
    expect(index.registers.frozenUntil('issue', NOW)).toBeNull()
    expect(index.registers.frozenUntil('rotate', NOW)).toBeNull()
    expect(reported).toBe(2)
  })

  it('ends by itself', () => {
    const state = writeState({ suspended: { until: NOW + 5 } })
    const index = indexOf(register({ state }))
    expect(index.registers.limits(factsOf(ID), NOW)?.until).toBe(NOW + 5)
    expect(index.registers.limits(factsOf(ID), NOW + 5)).toBeUndefined()
  })

  it.each([
    ['was lifted', '{}'],
    ['has ended', writeState({ suspended: { until: NOW + 1000 } })],
  ])('that %s is forgotten when it has expired, and not taken again', (_, state) => {
    const ended = register({ state })
    const index = indexOf(ended)
    expect(index.bytes).toBeGreaterThan(400)
    index.forget(NOW + 999)
    expect(index.size).toBe(1)
    index.forget(NOW + 1000)
    expect([...index.registers.entries()]).toEqual([])
    expect([index.size, index.bytes]).toEqual([0, 0])
    expect(index.apply(ended)).toBe(true)
    expect(index.size).toBe(0)
    expect(index.covers(ended)).toBe(true)
  })

  it.each([
    ['subject', 's', writeState({ enforced: { to: ['a'], until: null } })],
    ['audience', 'a', writeState({ suspended: { until: NOW + 5000 } })],
    ['freeze', '', writeState({ issue: { until: null } })],
    ['subject', 's', '{"future":1}'],
  ] as const)(
    'of a %s (%s) in force is kept after its entry has expired: %s',
    (target, value, state) => {
      const entry = register({ target, value, state })
      const index = indexOf(entry)
      index.forget(NOW + 1000)
      expect([...index.registers.entries()]).toEqual([entry])
      const extended = { ...entry, expiresAt: NOW + 9000 }
      expect([index.covers(entry), index.covers(extended)]).toEqual([true, false])
      index.apply(extended)
      expect(index.covers({ ...entry, expiresAt: NOW + 9500 })).toBe(true)
      expect([...index.registers.entries()]).toEqual([extended])
      index.apply({ ...extended, revision: 2, state: '{}' })
      index.forget(NOW + 9000)
      expect(index.size).toBe(0)
    },
  )

  it('takes a later revision although its own entry has expired', () => {
    const index = indexOf(register())
    index.forget(NOW + 2000)
    const lifted = register({ revision: 2, state: '{}' })
    expect(index.covers(lifted)).toBe(false)
    index.apply(lifted)
    expect(isSuspended(index)).toBe(false)
  })

  it.each(['token', 'family'] as const)(
    'of a %s is forgotten when it has expired, unless the store may extend it',
    (target) => {
      const descent = target === 'token' ? { family: ID, generation: 0 } : null
      const index = indexOf(register({ target, value: OTHER, descent }))
      index.forget(NOW + 1000, false)
      expect(index.size).toBe(1)
      index.forget(NOW + 1000)
      expect([index.size, index.bytes]).toEqual([0, 0])
      expect(index.apply(register({ target, value: OTHER, descent }))).toBe(true)
      expect(index.size).toBe(0)
    },
  )

  it('ends no token and freezes by its own target alone', () => {
    const index = indexOf(
      register({ target: 'freeze', value: '', state: writeState({ issue: { until: NOW + 9 } }) }),
    )
    expect(index.registers.limits(factsOf(ID), NOW)).toBeUndefined()
    expect(index.registers.frozenUntil('issue', NOW)).toBe(NOW + 9)
    expect(index.registers.frozenUntil('issue', NOW + 9)).toBeUndefined()
    expect(index.registers.frozenUntil('rotate', NOW)).toBeUndefined()
  })
})

describe('an index that is almost full', () => {
  it('admits no new restriction, and every change of a known one', () => {
    const index = new RevocationIndex({ max: 10 })
    for (let i = 0; i < 9; i++) index.apply(register({ value: `s${i}` }))
    expect(index.admitsRestriction({ kind: 'subject', value: 's' })).toBe(false)
    expect(index.admitsRestriction({ kind: 'subject', value: 's1' })).toBe(true)
    expect(index.apply({ kind: 'subject', value: 's', before: NOW, expiresAt: NOW + 1 })).toBe(true)
    expect(index.apply(register({ value: 'one more' }))).toBe(false)
    expect(index.full).toBe(true)
  })
})
