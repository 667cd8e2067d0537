import { describe, expect, it } from 'vitest'
import { createWatchword } from 'watchword'
import { manualClock } from 'watchword/testkit'
import { HOLD_MS, resolveClock } from '../../src/clock.js'

const policies = { job: { ttl: '1h', scopes: [] } } as const
const base = { issuer: 'https://auth.example', audience: 'api', policies } as const

describe('a clock', () => {
  it('may answer fractions: tokens are issued, verified and revoked all the same', async () => {
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
    'that answers %s lets nothing pass, and stamps nothing',
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

  it('that steps back by no more than the hold stands still for judging, and not for stamping', () => {
    const source = manualClock()
    const clock = resolveClock(source)
    const start = clock.judged()
    source.step(-HOLD_MS)
    expect(clock.judged()).toBe(start)
    expect(clock.now()).toBe(start - HOLD_MS)
  })

  it('that steps back by more is believed, and says so', () => {
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
