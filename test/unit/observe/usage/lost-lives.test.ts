import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { lifeMaker } from '../../../../src/observe/usage/life-id.js'
import { LostLives, SILENCE_MS } from '../../../../src/observe/usage/lost-lives.js'
import { memoryUsage } from '../../../../src/store/memory/usage.js'
import type { UsageLife } from '../../../../src/store/usage.js'
import { MINUTE } from '../../../support/constants.js'

const memberOf = (byte: number) => Buffer.alloc(16, byte).toString('base64url')
const OTHER = memberOf(1)

/** Checks in a store with one life of another process, of which the feed has no entry. */
async function rig(change: Partial<UsageLife> = {}, stopsWithFeed = true) {
  const source = manualClock()
  const clock = resolveClock(source)
  const part = memoryUsage(async (work) => work())
  const from = clock.now()
  const life: UsageLife = {
    life: lifeMaker(OTHER, stopsWithFeed)(from),
    node: 'other',
    from,
    to: from,
    endedAt: null,
    gaps: [],
    ...change,
  }
  await part.mergeLife(life)
  const feed: { members: readonly string[] | undefined; own: string | undefined } = {
    members: [],
    own: undefined,
  }
  const written: UsageLife[] = []
  const lostLives = new LostLives({
    clock,
    part: {
      listLives: part.listLives,
      mergeLife: async (each) => {
        written.push(each)
        await part.mergeLife(each)
      },
    },
    call: (work) => work(),
    isOwn: (id) => id === feed.own,
    members: () => feed.members,
  })
  /** Checks once a minute for this long, the first time at once. */
  const checkFor = async (lengthMs: number, eachMinute?: (at: number) => unknown) => {
    for (let passed = 0; passed <= lengthMs; passed += MINUTE) {
      if (passed > 0) await source.advance(MINUTE)
      await eachMinute?.(passed)
      await lostLives.check(clock.now())
    }
  }
  return { source, clock, part, life, from, feed, written, lostLives, checkFor }
}

describe('the lives of other processes', () => {
  it('are ended at the time of the check after an hour of silence, and not before', async () => {
    const { checkFor, written, life, from, source, lostLives, clock } = await rig()
    await checkFor(SILENCE_MS - MINUTE)
    expect(written).toEqual([])
    await source.advance(MINUTE)
    await lostLives.check(clock.now())
    expect(written).toEqual([{ ...life, endedAt: from + SILENCE_MS }])
    await source.advance(MINUTE)
    await lostLives.check(clock.now())
    expect(written).toHaveLength(1)
  })

  it('are not ended before the time up to which they have reported', async () => {
    const ahead = Date.UTC(2126, 0, 1)
    const { checkFor, written } = await rig({ to: ahead })
    await checkFor(SILENCE_MS)
    expect(written).toMatchObject([{ to: ahead, endedAt: ahead }])
  })

  it('are not ended if the life moved during the hour', async () => {
    const { checkFor, written, part, life, from } = await rig()
    await checkFor(SILENCE_MS, async (passed) => {
      if (passed === SILENCE_MS / 2) await part.mergeLife({ ...life, to: from + passed })
    })
    expect(written).toEqual([])
  })

  it('are not ended if the feed had an entry of the process during the hour', async () => {
    const { checkFor, written, feed } = await rig()
    await checkFor(SILENCE_MS, (passed) => {
      feed.members = passed === SILENCE_MS / 2 ? [OTHER] : []
    })
    expect(written).toEqual([])
  })

  it('are not ended if this node could not read the members of the feed during the hour', async () => {
    const { checkFor, written, feed } = await rig()
    await checkFor(SILENCE_MS, (passed) => {
      feed.members = passed === SILENCE_MS / 2 ? undefined : []
    })
    expect(written).toEqual([])
  })

  it('are not ended if the members of the feed became unknown while the lives were read', async () => {
    const { clock, part, feed, written, source } = await rig()
    const lostLives = new LostLives({
      clock,
      part: {
        listLives: async (since) => {
          feed.members = undefined
          return part.listLives(since)
        },
        mergeLife: async (each) => void written.push(each),
      },
      call: (work) => work(),
      isOwn: () => false,
      members: () => feed.members,
    })
    for (let passed = 0; passed <= SILENCE_MS; passed += MINUTE) {
      feed.members = []
      await lostLives.check(clock.now())
      await source.advance(MINUTE)
    }
    expect(written).toEqual([])
  })

  it('are not ended after a pause between two checks in which the process may have been back', async () => {
    const { checkFor, written, source } = await rig()
    await checkFor(SILENCE_MS - MINUTE)
    await source.advance(3 * MINUTE)
    await checkFor(SILENCE_MS - MINUTE)
    expect(written).toEqual([])
  })

  it('are not ended if the process accepts tokens without the feed', async () => {
    const { checkFor, written } = await rig({}, false)
    await checkFor(SILENCE_MS)
    expect(written).toEqual([])
  })

  it('are left alone by their own process, and once they have ended', async () => {
    const own = await rig()
    own.feed.own = own.life.life
    await own.checkFor(SILENCE_MS)
    const ended = await rig({ endedAt: Date.UTC(2126, 0, 1) })
    await ended.checkFor(SILENCE_MS)
    expect([own.written, ended.written]).toEqual([[], []])
  })
})
