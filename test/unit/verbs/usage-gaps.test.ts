import { describe, expect, it } from 'vitest'
import { memoryUsage } from '../../../src/store/memory/usage.js'
import type { UsageLife } from '../../../src/store/usage.js'
import { readGaps, readWindow } from '../../../src/verbs/usage-gaps.js'
import { DAY, HOUR, MINUTE } from '../../support/constants.js'

const NOW = Date.UTC(2026, 0, 10)

const lifeOf = (life: string, change: Partial<UsageLife> = {}): UsageLife => ({
  life,
  node: life,
  from: NOW - 5 * DAY,
  to: NOW,
  endedAt: null,
  gaps: [],
  ...change,
})

type Fakes = Parameters<typeof readWindow>

/** A process that counts as `own`, and the stored lives. */
async function rig(
  stored: readonly UsageLife[],
  flush: () => Promise<number> = async () => NOW,
  current = lifeOf('own'),
) {
  const part = memoryUsage(async (work) => work())
  for (const life of stored) await part.mergeLife(life)
  const reads: number[] = []
  const core = {
    clock: { now: () => NOW + MINUTE },
    options: { usage: { keepMs: 400 * DAY } },
    callStore: (work: () => Promise<unknown>) => work(),
  }
  const own = {
    part: {
      ...part,
      listLives: async (since: number) => {
        reads.push(since)
        return part.listLives(since)
      },
    },
    life: () => current,
    flush,
    members: () => [],
  }
  return { core: core as unknown as Fakes[0], own, reads }
}

describe('the window of a report', () => {
  it('ends when the slowest running node had written its counts', async () => {
    const slow = lifeOf('slow', { to: NOW - MINUTE })
    const { core, own, reads } = await rig([lifeOf('own'), slow])
    const to = NOW - MINUTE
    expect(await readWindow(core, own, HOUR)).toEqual({ from: to - HOUR, to, gaps: [] })
    expect(reads).toEqual([NOW - HOUR - 5 * MINUTE])
  })

  it('does not wait for a node that is behind for more than five minutes, or that has ended', async () => {
    const { core, own } = await rig([
      lifeOf('own'),
      lifeOf('behind', { to: NOW - 6 * MINUTE }),
      lifeOf('ended', { to: NOW - MINUTE, endedAt: NOW - MINUTE }),
    ])
    expect(await readWindow(core, own, HOUR)).toEqual({
      from: NOW - HOUR,
      to: NOW,
      gaps: [{ node: 'behind', from: NOW - 6 * MINUTE, to: NOW }],
    })
  })

  it('ends now, with a gap, if the counts of this process cannot be written', async () => {
    const down = () => Promise.reject(new Error('the store is down'))
    const { core, own } = await rig([lifeOf('own')], down)
    expect(await readWindow(core, own, HOUR)).toEqual({
      from: NOW + MINUTE - HOUR,
      to: NOW + MINUTE,
      gaps: [{ node: 'own', from: NOW, to: NOW + MINUTE }],
    })
  })
})

describe('the gaps of an interval', () => {
  it('have what this process lost if its life could not be announced', async () => {
    const current = lifeOf('own', { to: NOW - HOUR })
    const { core, own } = await rig([lifeOf('other')], undefined, current)
    expect(await readGaps(core, own, NOW - DAY, NOW)).toEqual([
      { node: 'own', from: NOW - HOUR, to: NOW },
    ])
  })

  it('are the whole interval if the store has no life', async () => {
    const { core, own, reads } = await rig([])
    expect(await readGaps(core, own, NOW - DAY, NOW)).toEqual([
      { node: null, from: NOW - DAY, to: NOW },
    ])
    expect(reads).toEqual([NOW - DAY, 0])
  })

  it('begin where no life had begun, also one that has ended since', async () => {
    const own = lifeOf('own', { from: NOW - HOUR })
    const ended = { from: NOW - 9 * DAY, to: NOW - DAY, endedAt: NOW - DAY }
    const late = await rig([own])
    expect(await readGaps(late.core, late.own, NOW - DAY, NOW)).toEqual([
      { node: null, from: NOW - DAY, to: NOW - HOUR },
    ])
    const early = await rig([own, lifeOf('ended', ended)])
    expect(await readGaps(early.core, early.own, NOW - DAY, NOW)).toEqual([])
    expect(early.reads).toEqual([NOW - DAY, 0])
  })
})
