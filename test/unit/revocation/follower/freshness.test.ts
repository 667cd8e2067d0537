/** The lease of a proof, measured on two clocks that can each be wrong in its own way. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { HOLD_MS, resolveClock } from '../../../../src/lib/clock.js'
import { Freshness } from '../../../../src/revocation/follower/freshness.js'
import { HOUR } from '../../../support/fleet.js'

const MAX_AGE_MS = 5000
const MAX_BEACON_MS = 7000

function newLease() {
  const source = manualClock()
  const clock = resolveClock(source)
  const freshness = new Freshness(clock, MAX_AGE_MS, MAX_BEACON_MS - MAX_AGE_MS)
  const isFresh = () => freshness.within(MAX_AGE_MS, clock.judged())
  return { source, clock, freshness, isFresh }
}

describe('a lease', () => {
  it('does not exist before the first proof', () => {
    const { freshness, isFresh } = newLease()
    expect(isFresh()).toBe(false)
    expect(freshness.proven).toBe(false)
    expect(freshness.age()).toBe(Number.POSITIVE_INFINITY)
  })

  it('runs from when the head was requested, not from when the reply came', async () => {
    const { source, freshness, isFresh } = newLease()
    const mark = freshness.mark()
    await source.advance(3000)
    freshness.prove(mark)
    expect(freshness.age()).toBe(3000)
    await source.advance(2000)
    expect(isFresh()).toBe(true)
    await source.advance(1)
    expect(isFresh()).toBe(false)
  })

  it('ends by the wall clock on a machine whose steady clock stood still', () => {
    const { source, freshness, isFresh } = newLease()
    freshness.prove(freshness.mark())
    source.step(MAX_AGE_MS)
    expect(isFresh()).toBe(true)
    source.step(1)
    expect(isFresh()).toBe(false)
    expect(freshness.age()).toBe(MAX_AGE_MS + 1)
  })

  it('ends by the steady clock on a machine whose wall clock is stepped back', async () => {
    const { source, freshness, isFresh } = newLease()
    freshness.prove(freshness.mark())
    source.step(-HOUR / 2)
    expect(isFresh()).toBe(true)
    await source.advance(MAX_AGE_MS + 1)
    expect(isFresh()).toBe(false)
  })

  it('is void when the wall clock reads a time before the proof, and the step is believed', () => {
    const { source, freshness, isFresh } = newLease()
    freshness.prove(freshness.mark())
    source.step(-HOLD_MS - 1)
    expect(isFresh()).toBe(false)
    expect(freshness.age()).toBe(Number.POSITIVE_INFINITY)
  })

  it('is not shortened by a reply that arrives after a later one', async () => {
    const { source, freshness } = newLease()
    const early = freshness.mark()
    await source.advance(1000)
    freshness.prove(freshness.mark())
    freshness.prove(early)
    expect(freshness.age()).toBe(0)
  })

  it('ends when its seal is too old by the clock used for verification', async () => {
    const { source, clock, freshness, isFresh } = newLease()
    freshness.prove(freshness.mark(), clock.now() - MAX_BEACON_MS + 1000)
    await source.advance(1000)
    expect(isFresh()).toBe(true)
    await source.advance(1)
    expect(isFresh()).toBe(false)
    expect(freshness.age()).toBe(Number.POSITIVE_INFINITY)
  })

  it('ends at once when it is revoked, and begins with the next proof', () => {
    const { freshness, isFresh } = newLease()
    freshness.prove(freshness.mark())
    freshness.revoke()
    expect([isFresh(), freshness.proven]).toEqual([false, false])
    freshness.prove(freshness.mark())
    expect([isFresh(), freshness.proven]).toEqual([true, true])
  })

  it('never outlasts its time on either clock, however the clocks are moved', async () => {
    const move = fc.record({
      advance: fc.nat({ max: 3000 }),
      step: fc.integer({ min: -9000, max: 9000 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(move, { maxLength: 8 }),
        fc.nat({ max: 2000 }),
        async (moves, late) => {
          const { source, freshness, isFresh } = newLease()
          const mark = freshness.mark()
          await source.advance(late)
          freshness.prove(mark)
          let highest = mark[0]
          for (const { advance, step } of moves) {
            await source.advance(advance)
            source.step(step)
            // A clock that is set between two readings shows its new time.
            highest = Math.max(highest, source.now())
            const isWithin = isFresh()
            if (source.monotonic() - mark[1] > MAX_AGE_MS) expect(isWithin).toBe(false)
            if (highest - mark[0] > MAX_AGE_MS) expect(isWithin).toBe(false)
            expect(isWithin).toBe(freshness.age() <= MAX_AGE_MS)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
