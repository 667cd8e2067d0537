import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from 'vitest'
import { createWatchword, type Decision } from 'watchword'
import { manualClock } from 'watchword/testkit'
import { HOLD_MS, resolveClock } from '../../../src/lib/clock.js'

const MINUTE = 60_000
const policies = { job: { ttl: '1h', scopes: [] } } as const
const base = { issuer: 'https://auth.example', audience: 'api', policies } as const

describe('a clock', () => {
  it('may return fractions: tokens are still issued, verified and revoked', async () => {
    let time = 1_767_225_600_000.25
    const watchword = await createWatchword({ ...base, clock: { now: () => time } })
    const { id, token, issuedAt } = await watchword.issue({
      policy: 'job',
      subject: 'svc',
      actor: 'ops',
    })
    expect(issuedAt).toBe(1_767_225_600_000)
    time += 0.5
    expect(watchword.verify(token).ok).toBe(true)
    await watchword.revoke({ id }, { actor: 'ops' })
    expect(watchword.verify(token)).toMatchObject({ code: 'revoked' })
    await watchword.close()
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, undefined as unknown as number])(
    'that returns %s accepts no token and stamps nothing',
    async (broken) => {
      let time = Date.UTC(2026, 0, 1)
      const watchword = await createWatchword({ ...base, clock: { now: () => time } })
      const input = { policy: 'job', subject: 'svc', actor: 'ops' }
      const { token } = await watchword.issue(input)
      expect(watchword.verify(token).ok).toBe(true)
      const good = time
      time = broken
      expect(watchword.verify(token)).toMatchObject({ ok: false })
      await expect(watchword.issue(input)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
      time = good + 1
      expect(watchword.verify(token).ok).toBe(true)
      await watchword.close()
    },
  )

  it('that steps back by less than the hold stands still for verification, but not for timestamps', () => {
    const source = manualClock()
    const clock = resolveClock(source)
    const start = clock.judged()
    source.step(-HOLD_MS)
    expect(clock.judged()).toBe(start)
    expect(clock.now()).toBe(start - HOLD_MS)
  })

  it.each([
    ['twice back 40 minutes', [-40, -40]],
    ['back 20 minutes and then 50', [-20, -50]],
    ['three times back 50 minutes', [-50, -50, -50]],
  ])('keeps an expired token expired when it steps %s and then forward again', async (_, steps) => {
    const source = manualClock()
    const watchword = await createWatchword({ ...base, clock: source })
    const { token } = await watchword.issue({ policy: 'job', subject: 'svc', actor: 'ops' })
    await source.advance(60 * MINUTE + 1000)
    expect(watchword.verify(token)).toMatchObject({ code: 'expired' })
    let back = 0
    for (const minutes of steps) {
      source.step(minutes * MINUTE)
      back -= minutes
      watchword.verify(token)
      await source.advance(MINUTE)
    }
    source.step((back - 10) * MINUTE)
    expect(watchword.verify(token)).toMatchObject({ code: 'expired' })
    await watchword.close()
  })

  it('continues from the earlier time when it stays there after a long step back', async () => {
    const source = manualClock()
    const clock = resolveClock(source)
    clock.judged()
    source.step(-2 * HOLD_MS)
    const back = clock.judged()
    await source.advance(90 * MINUTE)
    expect(clock.judged()).toBe(back + 90 * MINUTE)
  })

  it.each<[string, () => number]>([
    [
      'throws',
      () => {
        throw new Error('no clock')
      },
    ],
    ['returns -1', () => -1],
    ['returns Infinity', () => Number.POSITIVE_INFINITY],
    ['returns NaN', () => Number.NaN],
  ])(
    'that %s makes verify reject, observed or not, and is dated by its last reading',
    async (_, broken) => {
      let now = () => 1_767_225_600_000
      const watchword = await createWatchword({ ...base, clock: { now: () => now() } })
      const { token } = await watchword.issue({ policy: 'job', subject: 'svc', actor: 'ops' })
      expect(watchword.verify(token).ok).toBe(true)
      now = broken
      expect(watchword.verify(token).ok).toBe(false)
      const heard: Decision[] = []
      const listen = (message: unknown) => void heard.push(message as Decision)
      subscribe('watchword:decision', listen)
      expect(watchword.verify(token).ok).toBe(false)
      unsubscribe('watchword:decision', listen)
      expect(heard.map(({ outcome }) => outcome)).not.toContain('ok')
      expect(heard).toHaveLength(1)
      now = () => 1_767_225_600_000
      expect(watchword.verify(token).ok).toBe(true)
      await watchword.close()
    },
  )

  it('repeats its last valid reading without another one', () => {
    let now = 5
    let readings = 0
    const clock = resolveClock({
      now: () => {
        readings++
        return now
      },
    })
    clock.judged()
    now = 7
    expect([clock.recent(), readings]).toEqual([5, 1])
    clock.reading()
    expect(clock.recent()).toBe(7)
    now = 9
    clock.judged()
    now = Number.NaN
    clock.judged()
    expect([clock.recent(), readings]).toEqual([9, 4])
    // A step back within the hold keeps tokens expired, but dates messages by the clock.
    now = 8
    expect([clock.judged(), clock.recent()]).toEqual([9, 8])
  })

  it('whose steady clock throws reads as NaN, which no lease includes', async () => {
    let steady = () => 1
    const clock = { now: () => 1_767_225_600_000, monotonic: () => steady() }
    const resolved = resolveClock(clock)
    expect(resolved.monotonic()).toBe(1)
    steady = () => {
      throw new Error('no clock')
    }
    expect(resolved.monotonic()).toBeNaN()
  })

  it('that steps back by more than the hold is believed, and the step is reported', () => {
    const source = manualClock()
    const clock = resolveClock(source)
    let steps = 0
    clock.onStepBack = () => {
      steps++
    }
    const start = clock.judged()
    source.step(-HOLD_MS - 1)
    expect(clock.judged()).toBe(start - HOLD_MS - 1)
    expect(steps).toBe(1)
  })
})
