/**
 * Lists in bounded memory: what they keep is what sorting everything would keep.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Counts } from '../../../src/lib/counts.js'
import { Crowds } from '../../../src/report/crowds.js'
import { barsOf, Top } from '../../../src/report/top.js'
import type { TokenInfo } from '../../../src/verbs/inputs.js'
import { runs } from '../../support/runs.js'

describe('the lists of a report', () => {
  it('keep the items of the highest rank', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.integer({ min: 1, max: 20 }), (values, max) => {
        const top = new Top<number>(max, (value) => value)
        for (const value of values) top.add(value)
        expect(top.sorted()).toEqual([...values].sort((a, b) => b - a).slice(0, max))
      }),
      { numRuns: runs(1000, 100) },
    )
  })

  it('count every name, and those beyond the limit together', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'))
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 6 }), (given, max) => {
        const counts = new Counts()
        for (const name of given) counts.add(name)
        const bars = barsOf(counts, max, 'others')
        expect(bars.reduce((sum, { count }) => sum + count, 0)).toBe(given.length)
        expect(bars.length).toBeLessThanOrEqual(max + 1)
        for (const { label, count } of bars)
          if (label !== 'others') expect(count).toBe(given.filter((name) => name === label).length)
      }),
      { numRuns: runs(1000, 100) },
    )
  })

  it('count names beyond ten thousand as one', () => {
    const counts = new Counts()
    for (let i = 0; i < 10_050; i++) counts.add(`name ${i}`)
    expect(barsOf(counts, 10_000, 'others').at(-1)).toEqual({ label: 'others', count: 50 })
  })

  it('miss no subject with more tokens than the limit', () => {
    const holders = fc.array(
      fc.record({ subject: fc.constantFrom('a', 'b', 'a b'), policy: fc.constantFrom('p', 'p a') }),
    )
    fc.assert(
      fc.property(holders, fc.integer({ min: 1, max: 5 }), (given, limit) => {
        const crowds = new Crowds(limit)
        for (const [i, holder] of given.entries())
          crowds.add({ ...holder, id: String(i), owner: null } as TokenInfo)
        const found = [...crowds.candidates()]
        for (const { subject, policy } of given) {
          const same = (each: { subject: string; policy: string }) =>
            each.subject === subject && each.policy === policy
          if (given.filter(same).length > limit) expect(found.some(same)).toBe(true)
        }
      }),
      { numRuns: runs(1000, 100) },
    )
  })

  it('ask the store about few subjects whose tokens are within the limit', () => {
    const crowds = new Crowds(10)
    for (let i = 0; i < 100_000; i++) {
      const holder = { subject: `svc_${i}`, policy: 'service', id: String(i), owner: null }
      for (let count = 0; count < 10; count++) crowds.add(holder as TokenInfo)
    }
    // One table alone would have about ten thousand.
    expect([...crowds.candidates()].length).toBeLessThan(300)
  })
})
