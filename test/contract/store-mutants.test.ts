import { describe, expect, it } from 'vitest'
import { auditMutants } from './store-mutants-audit.js'
import { changeMutants, successorMutants } from './store-mutants-changes.js'
import { crashMutants } from './store-mutants-crashes.js'
import { detailMutants, inventoryMutants } from './store-mutants-details.js'
import { lifecycleMutants } from './store-mutants-lifecycle.js'
import { limitMutants, listMutants } from './store-mutants-lists.js'
import { restrictionMutants } from './store-mutants-restrictions.js'
import { revocationMutants, supersedeMutants } from './store-mutants-revocation.js'
import { keyMutants, purgeMutants, usageMutants } from './store-mutants-rows.js'
import { runContract } from './store-mutants-runner.js'
import { successionMutants } from './store-mutants-succession.js'
import { raceMutants, textMutants } from './store-mutants-text.js'
import { tokenMutants } from './store-mutants-tokens.js'
import { foldMutants } from './store-mutants-usage-folds.js'
import { usageListMutants } from './store-mutants-usage-lists.js'
import { lifeMutants } from './store-mutants-usage-lives.js'
import { usageRowMutants } from './store-mutants-usage-rows.js'

const MUTANTS = [
  ...crashMutants,
  ...lifecycleMutants,
  ...tokenMutants,
  ...listMutants,
  ...inventoryMutants,
  ...detailMutants,
  ...limitMutants,
  ...successionMutants,
  ...supersedeMutants,
  ...revocationMutants,
  ...successorMutants,
  ...changeMutants,
  ...keyMutants,
  ...usageMutants,
  ...purgeMutants,
  ...textMutants,
  ...raceMutants,
  ...usageRowMutants,
  ...usageListMutants,
  ...foldMutants,
  ...lifeMutants,
  ...auditMutants,
  ...restrictionMutants,
]

describe('the store contract', () => {
  it('passes a correct store, on one instance and across two', async () => {
    const results = await runContract({})
    expect(results.length).toBeGreaterThan(100)
    expect(results.filter(({ error }) => error !== undefined)).toEqual([])
  })

  it('skips, with a reason, the cases of the part that a store lacks', async () => {
    const results = await runContract({ keepsUsage: false })
    expect(results.filter(({ error }) => error !== undefined)).toEqual([])
    const skipped = results.filter((result) => result.skipped !== undefined)
    expect(new Set(skipped.map(({ title }) => title.split('.')[0]))).toEqual(
      new Set(['counters', 'folds', 'lives']),
    )
    for (const result of skipped)
      expect(result.skipped).toBe('not applicable: the store has no usage')
    const without = await runContract({ keepsAudit: false }, 'audits.purge')
    expect(without.map(({ error, skipped: reason }) => [error, reason])).toEqual([
      [undefined, 'not applicable: the store has no audit'],
      [undefined, 'not applicable: the store has no audit'],
    ])
    const bare = await runContract({ keepsRestrictions: false }, 'registers.purge')
    expect(bare.map(({ error, skipped: reason }) => [error, reason])).toEqual([
      [undefined, 'not applicable: the store has no restrictions'],
      [undefined, 'not applicable: the store has no restrictions'],
    ])
    const unaudited = await runContract({ keepsAudit: false }, 'registers.races')
    expect(unaudited.map(({ error, skipped: reason }) => [error, reason])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ])
    const complete = await runContract({})
    expect(complete.filter((result) => result.skipped !== undefined)).toEqual([])
  })

  it('starts each title with its rule, and has no two cases with the same title', async () => {
    const titles = (await runContract({})).map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
    for (const title of titles) expect(title).toMatch(/^[a-z]+\.[a-z-]+: ./)
  })

  it('has a broken store for every rule', async () => {
    const rules = new Set((await runContract({})).map(({ title }) => title.split(': ')[0]))
    expect(new Set(MUTANTS.map(({ rule }) => rule))).toEqual(rules)
  })

  it.each(MUTANTS)('catches, by $rule, a store with a fault: $fault', async (mutant) => {
    const results = await runContract(mutant, mutant.rule)
    const caught = results.filter(({ error }) => error !== undefined)
    expect(caught).not.toEqual([])
    for (const { error } of caught) expect(error?.message).toMatch(`${mutant.rule}: `)
  })

  it('shows both values of a failed comparison', async () => {
    const [mutant] = MUTANTS.filter(({ rule }) => rule === 'limits.exact')
    const [failed] = (await runContract(mutant ?? {}, 'limits.exact')).filter(({ error }) => error)
    expect(failed?.error?.message).toBe(
      "limits.exact: token 4 of 3\n  expected: 'limit'\n  actual: 'inserted'",
    )
  })
})
