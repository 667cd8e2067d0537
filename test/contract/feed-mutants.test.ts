import { describe, expect, it } from 'vitest'
import { appendMutants, refusalMutants } from './feed-mutants-appends.js'
import { lifecycleMutants } from './feed-mutants-lifecycle.js'
import { crashMutants, raceMutants } from './feed-mutants-races.js'
import { copyMutants, readMutants, touchMutants, trimMutants } from './feed-mutants-reads.js'
import { observeMutants, resetMutants } from './feed-mutants-resets.js'
import { runContract } from './feed-mutants-runner.js'
import { peekMutants, snapshotMutants, watchMutants } from './feed-mutants-watches.js'

const MUTANTS = [
  ...lifecycleMutants,
  ...appendMutants,
  ...refusalMutants,
  ...readMutants,
  ...trimMutants,
  ...touchMutants,
  ...copyMutants,
  ...raceMutants,
  ...crashMutants,
  ...watchMutants,
  ...snapshotMutants,
  ...peekMutants,
  ...resetMutants,
  ...observeMutants,
]

describe('the feed contract', () => {
  it('passes a correct feed, on one instance and across two', async () => {
    const results = await runContract({})
    expect(results.length).toBeGreaterThan(100)
    expect(results.filter(({ error, skipped }) => error ?? skipped)).toEqual([])
  })

  it('starts each title with its rule, and has no two cases with the same title', async () => {
    const titles = (await runContract({})).map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
    for (const title of titles) expect(title).toMatch(/^[a-z]+\.[a-z-]+: ./)
  })

  it('passes a feed without the optional methods, and reports the cases that do not apply', async () => {
    const without = {
      touch: undefined as never,
      watch: undefined as never,
      snapshot: undefined as never,
      trim: undefined as never,
      peek: undefined as never,
      reset: undefined as never,
      observe: undefined as never,
    }
    const results = await runContract({
      methods: (_, good) => ({ ...without, info: { ...good.info, push: false } }),
    })
    expect(results.filter(({ error }) => error !== undefined)).toEqual([])
    const skipped = results.filter((result) => result.skipped !== undefined)
    const areas = new Set(skipped.map(({ title }) => title.split('.')[0]))
    expect(areas).toEqual(
      new Set([
        'append',
        'trim',
        'touch',
        'races',
        'watch',
        'snapshot',
        'peek',
        'reset',
        'observe',
      ]),
    )
    expect(new Set(skipped.map((result) => result.skipped))).toEqual(
      new Set(Object.keys(without).map((name) => `not applicable: the feed has no ${name}`)),
    )
  })

  it.each([
    ['touch', ['touch']],
    ['touch, trim and snapshot', ['touch', 'trim', 'snapshot']],
  ] as const)('passes a feed that has every optional method but %s', async (_, missing) => {
    const without = Object.fromEntries(missing.map((name) => [name, undefined as never]))
    const results = await runContract({ methods: () => without })
    expect(results.filter(({ error }) => error !== undefined)).toEqual([])
    expect(new Set(results.map(({ skipped }) => skipped))).toEqual(
      new Set([undefined, ...missing.map((name) => `not applicable: the feed has no ${name}`)]),
    )
  })

  it('has a broken feed for every rule', async () => {
    const rules = new Set((await runContract({})).map(({ title }) => title.split(': ')[0]))
    expect(new Set(MUTANTS.map(({ rule }) => rule))).toEqual(rules)
  })

  it.each(MUTANTS)('catches, by $rule, a feed with a fault: $fault', async (mutant) => {
    const results = await runContract(mutant, mutant.rule)
    const caught = results.filter(({ error }) => error !== undefined)
    expect(caught).not.toEqual([])
    for (const { error } of caught) expect(error?.message).toMatch(`${mutant.rule}: `)
  })

  it('shows both values of a failed comparison', async () => {
    const [mutant] = MUTANTS.filter(({ rule }) => rule === 'trim.past-end')
    const [failed] = (await runContract(mutant ?? {}, 'trim.past-end')).filter(({ error }) => error)
    expect(failed?.error?.message).toBe(
      'trim.past-end: the head, at .floor\n  expected: 6\n  actual: 101',
    )
  })
})
