/** The rounds of the republisher: when it compares, what it appends, and what makes it compare again. */
import { beforeEach, describe, expect, it } from 'vitest'
import { memoryFeed } from 'watchword'
import { ready } from 'watchword/paseto'
import { type ManualClock, manualClock } from 'watchword/testkit'
import type { SealedHead } from '../../../../src/feed/feed.js'
import { resolveClock } from '../../../../src/lib/clock.js'
import { Failures } from '../../../../src/observe/failures.js'
import { Replica } from '../../../../src/revocation/follower/replica.js'
import { Republisher } from '../../../../src/revocation/follower/republisher.js'
import type { FeedEntry, RevocationEntry } from '../../../../src/revocation/index/entries.js'
import { RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import { FeedClient } from '../../../../src/revocation/log/feed-client.js'
import { ZERO_LINK } from '../../../../src/revocation/log/seal.js'
import { DAY, MINUTE } from '../../../support/constants.js'
import { newSealKeys } from '../../../support/feed-writer.js'

const EPOCH = 'A'.repeat(22)
const DELAY_MS = 125
const MAX = 100_000

let clock: ManualClock
beforeEach(async () => {
  await ready
  clock = manualClock()
})

const subjects = (count: number): RevocationEntry[] =>
  Array.from({ length: count }, (_, i) => {
    return { kind: 'subject', value: `s${i}`, before: clock.now(), expiresAt: clock.now() + DAY }
  })

/** A republisher whose node knows these entries, and whose log, in this epoch, has none of them. */
async function setup(known: readonly RevocationEntry[], epoch = EPOCH) {
  const index = new RevocationIndex({ max: MAX })
  for (const entry of known) index.apply(entry)
  const time = { certain: () => clock.now() }
  const options = { index, time, maxSkewMs: MINUTE, onNode: () => undefined }
  const replica = new Replica({ keys: newSealKeys(), ...options })
  replica.enter(EPOCH)
  const feed = memoryFeed()
  await feed.open(new AbortController().signal)
  const own = resolveClock(clock)
  const limits = { deadlineMs: 1000, probeMs: 100 }
  const feedClient = new FeedClient({ feed, clock: own, failures: new Failures(own), ...limits })
  const grow = async (): Promise<void> => {
    const next: SealedHead = {
      ...{ epoch, seq: 1, link: ZERO_LINK, floor: 1 },
      ...{ beaconAt: 1, bytes: new Uint8Array(1) },
    }
    await feedClient.append(null, [{ seq: 1, bytes: new Uint8Array(1) }], next)
  }
  const stop = new AbortController()
  const appended: (readonly FeedEntry[])[] = []
  const restored: number[] = []
  const onAppend: (() => void)[] = []
  const republisher = new Republisher({
    ...{ index, clock: own, maxEntries: MAX, node: 'node', feedClient, replica },
    signal: stop.signal,
    append: async (entries) => {
      onAppend.shift()?.()
      appended.push([...entries])
      return replica.position
    },
    random: () => 0.5,
    onIncident: (kind, count) => void (kind === 'restored' && restored.push(count)),
  })
  const round = async (ms = DELAY_MS): Promise<void> => {
    republisher.settle()
    await clock.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { republisher, replica, stop, appended, restored, onAppend, grow, round }
}

describe('a round of the republisher', () => {
  it('appends what the log lacks once, after its random delay', async () => {
    const known = subjects(3)
    const { republisher, replica, appended, restored, round } = await setup(known)
    republisher.compare()
    await round(DELAY_MS - 1)
    expect(appended).toEqual([])
    await round(1)
    expect(appended).toEqual([known])
    expect([restored, replica.shadow]).toEqual([[3], undefined])
    await round()
    expect(appended).toHaveLength(1)
  })

  it('appends at once if this node created the log', async () => {
    const { republisher, appended, round } = await setup(subjects(1))
    republisher.created(false)
    republisher.compare()
    await round(0)
    expect(appended).toHaveLength(1)
  })

  it('reports nothing if the log lacks nothing', async () => {
    const { republisher, appended, restored, round } = await setup([])
    republisher.compare()
    await round()
    expect([appended, restored]).toEqual([[], []])
  })

  it('appends nothing once the node has stopped during the delay', async () => {
    const { republisher, stop, appended, round } = await setup(subjects(1))
    republisher.compare()
    await round(1)
    stop.abort()
    await round()
    expect(appended).toEqual([])
  })

  it.each([
    [4000, [4000]],
    [9000, [4000, 4000, 1000]],
  ])('appends %i entries in groups of %j', async (count, groups) => {
    const { republisher, appended, restored, round } = await setup(subjects(count))
    republisher.compare()
    await round()
    expect(appended.map(({ length }) => length)).toEqual(groups)
    expect(restored).toEqual([count])
  })

  it('is repeated if an append fails, or if another comparison begins meanwhile', async () => {
    const { republisher, replica, appended, onAppend, round } = await setup(subjects(1))
    republisher.compare()
    onAppend.push(() => {
      throw new Error('down')
    })
    await round()
    expect([appended.length, replica.shadow === undefined]).toEqual([0, false])
    onAppend.push(() => republisher.compare())
    await round()
    expect([appended.length, replica.shadow === undefined]).toEqual([1, false])
    await round()
    expect([appended.length, replica.shadow]).toEqual([2, undefined])
  })
})

describe('a log that declares entries missing', () => {
  it('is declared complete after them, once', async () => {
    const { republisher, replica, appended, grow, round } = await setup(subjects(1))
    await grow()
    replica.floor = 7
    republisher.expectMore()
    for (let times = 0; times < 2; times++) {
      republisher.compare()
      await round()
    }
    const complete = [
      { kind: 'trim', value: 'node', until: 7 },
      { kind: 'snapshot', value: 'node', until: 0 },
    ]
    expect(appended.filter((entries) => entries[0]?.kind === 'trim')).toEqual([complete])
  })

  it('is not declared complete if it is gone, or is another one by then', async () => {
    for (const epoch of ['', 'B'.repeat(22)]) {
      const { republisher, appended, grow, round } = await setup([], epoch)
      if (epoch !== '') await grow()
      republisher.expectMore()
      republisher.compare()
      await round()
      expect(appended).toEqual([])
    }
  })
})
