import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { UsageKeeper } from '../../../../src/observe/usage/keeper.js'
import { Lives } from '../../../../src/observe/usage/life.js'
import { lifeMaker } from '../../../../src/observe/usage/life-id.js'
import { memoryUsage } from '../../../../src/store/memory/usage.js'
import { HOUR, MINUTE, SECOND } from '../../../support/constants.js'

interface Wrong {
  readonly agrees?: () => boolean
  readonly stamp?: () => number
}

function newLives({ agrees, stamp }: Wrong = {}) {
  const source = manualClock()
  const clock = resolveClock(source)
  const part = memoryUsage(async (work) => work())
  const lives = new Lives({
    clock,
    node: 'one',
    newLife: lifeMaker(Buffer.alloc(16, 1).toString('base64url'), true),
    agrees: agrees ?? (() => true),
    isCertain: true,
    stamp: stamp ?? (() => clock.now()),
    maxSilenceMs: HOUR / 2,
  })
  const keeper = new UsageKeeper({
    clock,
    part,
    call: (work) => work(),
    lives,
    recorder: undefined,
    flushEveryMs: MINUTE,
    random: () => 0,
  })
  return { source, clock, part, lives, keeper }
}

describe('the life of a process', () => {
  it('leaves a gap of its whole length if it counts nothing and ends in the millisecond of its start', async () => {
    const { clock, part, keeper } = newLives()
    const from = clock.now()
    await keeper.start()
    await keeper.close()
    expect(await part.listLives(0)).toMatchObject([{ from, to: from, endedAt: from + 1 }])
  })

  it('shows that it continues, with a gap, while it counts nothing', async () => {
    const { source, clock, part, keeper } = newLives()
    const from = clock.now()
    await keeper.start()
    for (let i = 0; i < 120; i++) {
      await source.advance(MINUTE)
      await keeper.flush()
    }
    keeper.stop()
    const [life, ...others] = await part.listLives(0)
    expect(others).toEqual([])
    expect(life?.to).toBeGreaterThan(from + 105 * MINUTE)
    expect(life?.gaps).toEqual([{ from, to: life?.to }])
    expect(life?.endedAt).toBe(null)
  })

  it('is replaced if the store shows no sign of it for too long', async () => {
    const { source, clock, part, keeper } = newLives()
    const from = clock.now()
    await keeper.start()
    await source.advance(0)
    keeper.stop()
    await source.advance(HOUR)
    await keeper.flush()
    const end = from + HOUR
    expect(await part.listLives(0)).toMatchObject([
      { from, to: end, endedAt: end + 1, gaps: [{ from, to: end }] },
      { from: end, to: end, endedAt: null },
    ])
  })

  it('ends at the corrected time if its clock is behind', async () => {
    let error = 0
    const { source, clock, part, keeper } = newLives({
      agrees: () => error === 0,
      stamp: () => source.now() + error,
    })
    const from = clock.now()
    await keeper.start()
    error = 2 * HOUR
    await keeper.close()
    expect(await part.listLives(0)).toMatchObject([{ from, endedAt: from + 2 * HOUR + 1 }])
  })

  it('loses the millisecond of a step that was undone at once', () => {
    const { clock, lives } = newLives()
    const now = clock.now()
    lives.start()
    lives.cover(now)
    lives.compare(now - HOUR)
    expect(lives.look()).toBe(false)
    expect(lives.current.gaps).toEqual([{ from: now, to: now + 1 }])
  })

  it('loses the time since the write before a step, even if a write covered more since', () => {
    const { clock, lives } = newLives()
    const now = clock.now()
    lives.start()
    lives.compare(now - HOUR)
    lives.cover(now + SECOND)
    lives.look()
    expect(lives.current.gaps).toEqual([{ from: now, to: now + 1 }])
  })

  it('uses its own reading if no corrected time can be read', () => {
    const { clock, lives } = newLives({
      stamp: () => {
        throw new Error('no time')
      },
    })
    const now = clock.now()
    lives.start()
    lives.end(now)
    expect(lives.current).toMatchObject({ from: now, endedAt: now + 1 })
  })
})
