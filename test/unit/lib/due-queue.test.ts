import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Due, DueQueue } from '../../../src/lib/due-queue.js'
import { runs } from '../../support/runs.js'

const item = (): Due => ({ dueAt: 0, place: -1 })

describe('a queue of due items', () => {
  it('has the earliest item first, after any sequence of changes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), at: fc.nat(20), time: fc.nat(50) }),
      fc.record({ kind: fc.constant('remove' as const), at: fc.nat(20), time: fc.nat(50) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new DueQueue<Due>()
        const items = Array.from({ length: 21 }, item)
        const held = new Map<Due, number>()
        for (const { kind, at, time } of steps) {
          const each = items[at] as Due
          if (kind === 'set') {
            queue.set(each, time)
            held.set(each, time)
          } else {
            queue.remove(each)
            held.delete(each)
          }
          expect(queue.size).toBe(held.size)
          expect(queue.first?.dueAt).toBe(held.size === 0 ? undefined : Math.min(...held.values()))
          expect(new Set(queue.all())).toEqual(new Set(held.keys()))
        }
        const order: number[] = []
        for (let { first } = queue; first !== undefined; { first } = queue) {
          order.push(first.dueAt)
          queue.remove(first)
        }
        expect(order).toEqual([...held.values()].sort((a, b) => a - b))
      }),
      { numRuns: runs(1000, 100) },
    )
  })

  it('returns copies of its items, so that they can be removed one after another', () => {
    const queue = new DueQueue<Due>()
    for (let i = 0; i < 5; i++) queue.set(item(), i)
    for (const each of queue.all()) queue.remove(each)
    expect(queue.size).toBe(0)
    expect(queue.first).toBeUndefined()
  })
})
