/**
 * The state from which the next revision of a register is made.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { SUSPENDED, writeState } from '../../../src/policy/restriction.js'
import { RevocationIndex } from '../../../src/revocation/index/revocation-index.js'
import type { RestrictionRecord } from '../../../src/store/restrictions.js'
import { type BaseParts, baseOf } from '../../../src/verbs/register-base.js'
import { codeOf } from '../../support/fleet.js'

const NOW = 1_735_689_600_000
const TARGET = { kind: 'subject', value: 's' } as const

const rowOf = (change: Partial<RestrictionRecord> = {}): RestrictionRecord => ({
  ...TARGET,
  revision: 3,
  state: writeState(SUSPENDED),
  family: null,
  generation: null,
  at: NOW,
  actor: 'ops',
  reason: null,
  expiresAt: NOW + 1000,
  tag: 't',
  ...change,
})

/** Parts whose log has this register, and whose rows are all found so. */
function partsWith(
  held: RestrictionRecord | undefined,
  integrity: 'intact' | 'tampered' | 'unknown' = 'intact',
) {
  const index = new RevocationIndex()
  const reported: string[] = []
  if (held !== undefined) {
    const { revision, state, expiresAt } = held
    const entry = { target: TARGET.kind, value: TARGET.value, descent: null, revision, state }
    index.apply({ kind: 'restricted', ...entry, expiresAt })
  }
  const parts: BaseParts = {
    index,
    tagger: { checkRestriction: async () => integrity },
    trail: { noteOnce: (key) => void reported.push(key) },
    follower: { time: { stamp: () => NOW } },
  }
  return { parts, reported }
}

describe('the base of a register', () => {
  it('is nothing if neither the store nor the log has it', async () => {
    const base = await baseOf(partsWith(undefined).parts, TARGET, undefined)
    expect(base).toMatchObject({ text: '{}', revision: 0, isBroken: false })
  })

  it('is an intact row that the log does not have yet', async () => {
    const row = rowOf({ revision: 4, state: '{}' })
    const base = await baseOf(partsWith(rowOf()).parts, TARGET, row)
    expect(base).toMatchObject({ text: '{}', revision: 4, isBroken: false })
  })

  it('is a row whose key is gone, unless the log has another state', async () => {
    const row = rowOf({ revision: 4, state: '{}' })
    expect(await baseOf(partsWith(undefined, 'unknown').parts, TARGET, row)).toMatchObject({
      text: '{}',
      isBroken: false,
    })
    const { parts, reported } = partsWith(rowOf(), 'unknown')
    const base = await baseOf(parts, TARGET, row)
    expect(base).toMatchObject({ state: SUSPENDED, revision: 4, isBroken: true })
    expect(reported).toEqual(['subject:s'])
  })

  it('is the state of the log if the row is gone, which is reported while the register lasts', async () => {
    const lasting = partsWith(rowOf())
    expect(await baseOf(lasting.parts, TARGET, undefined)).toMatchObject({ isBroken: true })
    expect(lasting.reported).toEqual(['subject:s'])
    const expired = partsWith(rowOf({ expiresAt: NOW }))
    expect(await baseOf(expired.parts, TARGET, undefined)).toMatchObject({ isBroken: true })
    expect(expired.reported).toEqual(['subject:s'])
    const over = partsWith(rowOf({ expiresAt: NOW, state: '{}' }))
    expect(await baseOf(over.parts, TARGET, undefined)).toMatchObject({
      isBroken: false,
      revision: 3,
    })
    expect(over.reported).toEqual([])
  })

  it('is a suspension, or a freeze, if an edited row is all that there is', async () => {
    const { parts } = partsWith(undefined, 'tampered')
    expect(await baseOf(parts, TARGET, rowOf({ state: '{}' }))).toMatchObject({
      ...{ state: SUSPENDED, revision: 3, isBroken: true },
    })
    const freeze = { kind: 'freeze', value: '' } as const
    const base = await baseOf(parts, freeze, rowOf({ ...freeze, state: '{}' }))
    expect(Object.keys(base.state)).toEqual(['issue', 'rotate'])
  })

  it('cannot be a state of a newer version', async () => {
    const row = rowOf({ state: '{"future":1}' })
    expect(await codeOf(baseOf(partsWith(row).parts, TARGET, row))).toBe('ERR_STORE_SCHEMA')
    expect(await codeOf(baseOf(partsWith(undefined).parts, TARGET, row))).toBe('ERR_STORE_SCHEMA')
  })
})
