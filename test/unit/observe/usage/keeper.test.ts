import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { DAY, HOUR, MINUTE } from '../../../../src/lib/duration.js'
import type { Counted, Demand } from '../../../../src/observe/usage/counted.js'
import { UsageKeeper } from '../../../../src/observe/usage/keeper.js'
import { Lives } from '../../../../src/observe/usage/life.js'
import { UsageRecorder } from '../../../../src/observe/usage/recorder.js'
import { memoryStore } from '../../../../src/store/memory.js'
import type { UsageRow, UsageStore } from '../../../../src/store/usage.js'
import { usageOf } from '../../../../src/testkit/store/usage-fixtures.js'
import { flush } from '../../../support/fleet.js'

const READ: Demand = { allOf: ['orders:read'], anyOf: [] }

interface Over {
  readonly mergeRows?: (rows: readonly UsageRow[], part: UsageStore) => Promise<number>
  readonly max?: number
}

/** A keeper over a memory store, with a hook before each write of rows. */
function rig({ mergeRows, max }: Over = {}) {
  const manual = manualClock()
  const clock = resolveClock(manual)
  const stored = usageOf(memoryStore())
  const part: UsageStore = {
    ...stored,
    mergeRows: (rows) => mergeRows?.(rows, stored) ?? stored.mergeRows(rows),
  }
  let count = 0
  const lives = new Lives({
    clock,
    node: 'node-1',
    newLife: () => `life-${count++}`,
    agrees: () => true,
    isCertain: true,
    stamp: () => clock.reading(),
    maxSilenceMs: HOUR,
  })
  const lost: number[] = []
  const recorder = new UsageRecorder({
    scopes: true,
    callers: true,
    caches: true,
    life: () => lives.current.life,
    onTime: () => {},
    onLost: (at) => {
      lost.push(at)
      lives.lose(at, at + 1)
    },
    ...(max === undefined ? {} : { max }),
  })
  const keeper = new UsageKeeper({
    clock,
    part,
    call: (work) => work(),
    lives,
    recorder,
    flushEveryMs: MINUTE,
    random: () => 0.5,
  })
  const use = (token: Counted) => {
    const now = clock.judged()
    const minute = Math.floor(now / MINUTE)
    if (token.reportedMinute !== minute) recorder.report(token, minute, now)
    token.uses++
  }
  const requestsOf = async (tokens: readonly Counted[]) => {
    const ids = tokens.map(({ principal }) => principal.id)
    const rows = await stored.listRows({ ids, since: 0 }, { limit: 10_000 })
    return rows.reduce((sum, { requests }) => sum + requests, 0)
  }
  return { manual, clock, stored, lives, lost, recorder, keeper, use, requestsOf }
}

const tokens = (count: number): Counted[] =>
  Array.from({ length: count }, (_, index) => ({
    principal: { id: `token-${index}`, scopes: ['orders:*'] },
    met: READ,
    uses: 0,
    reportedMinute: -1,
    hour: undefined,
    slot: 0,
  }))

describe('the keeper of usage', () => {
  it('writes many tokens in calls of less than a thousand rows, at most two at once', async () => {
    let running = 0
    let most = 0
    const sizes: number[] = []
    const { keeper, use, requestsOf } = rig({
      mergeRows: async (rows, part) => {
        sizes.push(rows.length)
        most = Math.max(most, ++running)
        await flush()
        running--
        return part.mergeRows(rows)
      },
    })
    const used = tokens(9000)
    for (const token of used) use(token)
    await keeper.flush()
    expect(await requestsOf(used.slice(0, 1000))).toBe(1000)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(9000)
    expect(Math.max(...sizes)).toBe(500)
    expect(most).toBe(2)
  })

  it.each([0, 1, 2, 3])('writes everything after call %i of a flush failed', async (failing) => {
    let calls = 0
    const { keeper, lives, use, requestsOf } = rig({
      mergeRows: async (rows, part) => {
        if (calls++ === failing) throw new Error('the store is down')
        return part.mergeRows(rows)
      },
    })
    const used = tokens(1000 * 2)
    for (const token of used) use(token)
    const { to } = lives.current
    await expect(keeper.flush()).rejects.toThrow('the store is down')
    expect(lives.current.to).toBe(to)
    for (const token of used) use(token)
    await keeper.flush()
    expect(await requestsOf(used)).toBe(4000)
    expect(lives.current.gaps).toEqual([])
  })

  it('writes what was counted during a flush in the next one', async () => {
    const { keeper, use, requestsOf } = rig()
    const used = tokens(3)
    for (const token of used) use(token)
    const first = keeper.flush()
    for (const token of used) use(token)
    const [second, third] = [keeper.flush(), keeper.flush()]
    await Promise.all([first, second, third])
    expect(await requestsOf(used)).toBe(6)
  })

  it('continues with its timer after a write failed, and stops with it', async () => {
    let isDown = true
    const { manual, keeper, use, requestsOf } = rig({
      mergeRows: async (rows, part) => {
        if (isDown) throw new Error('the store is down')
        return part.mergeRows(rows)
      },
    })
    await keeper.start()
    const used = tokens(2)
    for (const token of used) use(token)
    await manual.advance(2 * MINUTE)
    expect(await requestsOf(used)).toBe(0)
    isDown = false
    await manual.advance(2 * MINUTE)
    expect(await requestsOf(used)).toBe(2)
    keeper.stop()
    for (const token of used) use(token)
    await manual.advance(5 * MINUTE)
    expect(await requestsOf(used)).toBe(2)
    expect(keeper.size).toBe(2)
  })

  it('reports an hour as lost that the store closed or that is too old to send', async () => {
    const { manual, clock, stored, keeper, lives, use } = rig()
    const [token] = tokens(1) as [Counted]
    use(token)
    const from = Math.floor(clock.reading() / HOUR) * HOUR
    await stored.purge({ foldUntil: from + HOUR, removeUntil: 0 })
    await keeper.flush()
    expect(lives.current.gaps).toEqual([{ from, to: from + HOUR }])
    use(token)
    manual.step(3 * DAY)
    use(token)
    await keeper.flush()
    expect(lives.current.gaps.at(-1)?.to).toBeGreaterThan(from + DAY)
    expect(keeper.size).toBe(1)
  })

  it('covers everything until it is closed, and leaves no gap', async () => {
    const { manual, keeper, lives, stored, use } = rig()
    await keeper.start()
    const [token] = tokens(1) as [Counted]
    manual.step(10)
    use(token)
    await keeper.close()
    const { life, to, endedAt } = lives.current
    expect(endedAt).toBe(to)
    expect(await stored.listLives(0)).toMatchObject([{ life, to, endedAt: to, gaps: [] }])
  })
})

describe('the recorder of usage', () => {
  it('reports a gap for a token that has no place', () => {
    const { clock, lost, recorder, lives, use } = rig({ max: 1 })
    const [first, second] = tokens(2) as [Counted, Counted]
    use(first)
    use(second)
    use(second)
    recorder.refuse(second, 'expired', clock.judged())
    recorder.call(second, { address: '192.0.2.1' }, clock)
    expect(lost).toHaveLength(4)
    expect(lives.current.gaps).toHaveLength(1)
    expect(recorder.size).toBe(1)
  })

  it('ignores refusals and callers while the clock fails, and contexts that are none', async () => {
    const { clock, recorder, keeper, use, stored } = rig()
    const [token] = tokens(1) as [Counted]
    use(token)
    recorder.refuse(token, 'expired', Number.POSITIVE_INFINITY)
    recorder.call(token, { route: '/a' }, { judged: () => Number.POSITIVE_INFINITY })
    for (const context of [null, 'text']) recorder.call(token, context as never, clock)
    await keeper.flush()
    const [row] = await stored.listRows({ ids: ['token-0'], since: 0 }, { limit: 1 })
    expect(row).toMatchObject({ requests: 1, refused: {}, callers: [], others: 0 })
  })

  it('cuts texts of callers, and replaces characters that databases refuse', async () => {
    const { clock, recorder, keeper, use, stored } = rig()
    const [token] = tokens(1) as [Counted]
    use(token)
    const context = { address: 'a'.repeat(100), route: 'a\0b', userAgent: '\ud800' }
    recorder.call(token, context, clock)
    recorder.call(token, { route: 5 } as never, clock)
    await keeper.flush()
    const [row] = await stored.listRows({ ids: ['token-0'], since: 0 }, { limit: 1 })
    expect(row?.callers).toEqual([
      { address: 'a'.repeat(64), route: 'a\ufffdb', userAgent: '\ufffd', requests: 1 },
      { address: '', route: '', userAgent: '', requests: 1 },
    ])
  })

  it('counts a token that exercises more than 64 scopes by the scopes that it was granted', async () => {
    const { clock, recorder, keeper, use, stored } = rig()
    const [token] = tokens(1) as [Counted]
    for (let i = 0; i < 70; i++) {
      recorder.turn(token, clock.judged())
      Object.assign(token, { met: { allOf: [`orders:part-${i}`], anyOf: [] } })
      use(token)
    }
    await keeper.flush()
    const [row] = await stored.listRows({ ids: ['token-0'], since: 0 }, { limit: 1 })
    const uses = row?.scopes.reduce((sum, scope) => sum + scope.uses, 0)
    expect(uses).toBe(70)
    expect(row?.scopes.find(({ scope }) => scope === 'orders:*')?.uses).toBeGreaterThan(60)
  })
})
