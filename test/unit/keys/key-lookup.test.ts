import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { KeyLookup } from '../../../src/keys/key-lookup.js'
import { resolveClock } from '../../../src/lib/clock.js'
import { flush, newGate, SECOND } from '../../support/fleet.js'

function newLookup(read: () => Promise<void>, reading: () => Promise<unknown> | undefined) {
  const source = manualClock()
  const clock = resolveClock(source)
  const deadline = {
    clock,
    deadlineMs: 2 * SECOND,
    code: 'ERR_STORE_UNAVAILABLE',
    name: 'store "memory"',
  } as const
  return { clock: source, lookup: new KeyLookup({ clock, deadline, reading, read }) }
}

describe('the look-up of a key', () => {
  it('reads the store once for all requests of one moment', async () => {
    let reads = 0
    const read = async () => void reads++
    const { lookup } = newLookup(read, () => undefined)
    await Promise.all([lookup.find(() => false), lookup.find(() => false)])
    expect(reads).toBe(1)
  })

  it('ends with a read in flight that has found the key', async () => {
    const [inFlight, next] = [newGate(), newGate()]
    const { lookup } = newLookup(next.pass, () => inFlight.pass())
    let isDone = false
    const found = lookup
      .find(() => true)
      .then(() => {
        isDone = true
      })
    await next.reached
    expect(isDone).toBe(false)
    inFlight.open()
    await found
    next.open()
  })

  it('waits for its own read if the one in flight has not found the key, or has failed', async () => {
    for (const outcome of [async () => {}, () => Promise.reject(new Error('down'))]) {
      const next = newGate()
      const { lookup } = newLookup(next.pass, outcome)
      let isDone = false
      const ended = lookup
        .find(() => false)
        .then(() => {
          isDone = true
        })
      await next.reached
      await flush()
      expect(isDone).toBe(false)
      next.open()
      await ended
    }
  })

  it('reads nothing after it was stopped, and ends at once the waits that it has', async () => {
    let reads = 0
    const { lookup } = newLookup(
      async () => void reads++,
      () => undefined,
    )
    await lookup.find(() => false)
    // The next read would start half a second later.
    const waiting = lookup.find(() => false)
    await flush()
    lookup.stop()
    await waiting
    await lookup.find(() => false)
    lookup.hint()
    await flush()
    expect([reads, lookup.isPending]).toEqual([1, false])
  })

  it('schedules one read for any number of hints, and ignores its failure', async () => {
    let reads = 0
    const { lookup, clock } = newLookup(
      () => {
        reads++
        return Promise.reject(new Error('down'))
      },
      () => undefined,
    )
    for (let i = 0; i < 5; i++) lookup.hint()
    expect(lookup.isPending).toBe(true)
    await flush()
    await clock.advance(SECOND)
    expect(reads).toBe(1)
  })
})
