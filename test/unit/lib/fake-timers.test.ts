/**
 * Fake timers of test runners move the system clock, and so the clock of the library.
 *
 * @module
 */
import { mock } from 'node:test'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createWatchword } from 'watchword'
import { ready } from '../../../src/paseto.js'
import { HOUR, verdict } from '../../support/harness.js'

beforeAll(() => ready)
afterEach(() => {
  vi.useRealTimers()
  mock.timers.reset()
})

const realNow = Date.now

const WAYS: ReadonlyArray<readonly [string, (ms: number) => () => void]> = [
  [
    'a replaced Date.now',
    (ms) => {
      Date.now = () => realNow() + ms
      return () => {
        Date.now = realNow
      }
    },
  ],
  [
    'the fake timers of Vitest',
    (ms) => {
      vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] })
      vi.setSystemTime(realNow() + ms)
      return () => vi.useRealTimers()
    },
  ],
  [
    'the mock timers of node:test',
    (ms) => {
      mock.timers.enable({ apis: ['Date'], now: realNow() })
      mock.timers.tick(ms)
      return () => mock.timers.reset()
    },
  ],
]

describe('the system clock', () => {
  it.each(WAYS)('is moved by %s', async (_, travel) => {
    const watchword = await createWatchword({
      issuer: 'i',
      audience: 'a',
      policies: { s: { ttl: '1h', scopes: [] } },
    })
    const input = { policy: 's', subject: 'm', actor: 'ops' }
    const [seen, unseen] = [await watchword.issue(input), await watchword.issue(input)]
    expect(verdict(watchword.verify(seen.token))).toBe('ok')
    const back = travel(2 * HOUR)
    try {
      expect([seen, unseen].map(({ token }) => verdict(watchword.verify(token)))).toEqual([
        'expired',
        'expired',
      ])
      const later = await watchword.issue(input)
      expect(Math.abs(later.issuedAt - Date.now())).toBeLessThan(60_000)
      expect(verdict(watchword.verify(later.token))).toBe('ok')
    } finally {
      back()
    }
    await watchword.close()
  })
})
