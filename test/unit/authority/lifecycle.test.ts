import { afterEach, describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { closeAll, MINUTE, rig, START, sharedStore } from '../../support/harness.js'

afterEach(closeAll)

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops' } as const

/** A memory store that counts its purges and its closings. */
function countingStore() {
  const inner = sharedStore()
  const count = { purged: 0, closed: 0 }
  const store = {
    ...inner,
    purge: async (...args: Parameters<typeof inner.purge>) => {
      count.purged++
      return inner.purge(...args)
    },
    close: async () => void count.closed++,
  }
  return { store, count }
}

describe('close', () => {
  it('rejects when the last uses cannot be written, and closes the store anyway', async () => {
    const { store, count } = countingStore()
    const recordUsage = () => Promise.reject(new Error('connection refused'))
    const { watchword } = await rig({}, { store: { ...store, recordUsage } })
    const { token } = await watchword.issue(INPUT)
    expect(watchword.verify(token).ok).toBe(true)
    await expect(watchword.close()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(count.closed).toBe(1)
    expect(watchword.health().status).toBe('closed')
  })

  it('does nothing when it is called again', async () => {
    const { store, count } = countingStore()
    const { watchword } = await rig({}, { store })
    await watchword.close()
    await watchword.close()
    expect(count.closed).toBe(1)
  })

  it('leaves a store that another authority uses open, until that closes, too', async () => {
    const { store, count } = countingStore()
    const { watchword, root, feed, clock } = await rig({}, { store })
    const { watchword: other } = await rig({}, { store, root, feed, clock })
    await watchword.close()
    expect(count.closed).toBe(0)
    await other.close()
    expect(count.closed).toBe(1)
  })

  it('ends a sweep that waits for the time of the store, and purges nothing', async () => {
    const { store, count } = countingStore()
    const clock = manualClock(START)
    let asked = 0
    let answer: (time: number) => void = () => {}
    let isSlow = false
    const now = () => {
      if (!isSlow) return Promise.resolve(clock.now())
      asked++
      return new Promise<number>((resolve) => {
        answer = resolve
      })
    }
    const { watchword } = await rig({}, { store: { ...store, now }, clock })
    isSlow = true
    await clock.advance(MINUTE)
    expect(asked).toBeGreaterThan(0)
    const before = asked
    await watchword.close()
    answer(clock.now())
    await clock.advance(2 * MINUTE)
    expect([asked, count.purged]).toEqual([before, 0])
  })

  it('ends the sweeps, also those of a clock whose timers cannot be cancelled', async () => {
    const inner = manualClock(START)
    const sweeps: (() => void)[] = []
    const setTimer = (callback: () => void, delayMs: number) => {
      if (delayMs === MINUTE) sweeps.push(callback)
      const timer = inner.setTimer(callback, delayMs)
      return delayMs === MINUTE ? { cancel: () => undefined } : timer
    }
    const { store, count } = countingStore()
    const { watchword } = await rig({}, { store, clock: { ...inner, setTimer } })
    await inner.advance(MINUTE)
    expect([count.purged, sweeps.length]).toEqual([1, 2])
    await watchword.close()
    await inner.advance(2 * 60 * MINUTE)
    expect([count.purged, sweeps.length]).toEqual([1, 2])
  })
})

describe('onStart', () => {
  it.each(['wait', 'reject', 'accept'] as const)(
    'may be %s with a feed that responds',
    async (onStart) => {
      const { watchword } = await rig({ onStart })
      const { token } = await watchword.issue(INPUT)
      expect(watchword.verify(token).ok).toBe(true)
    },
  )
})
