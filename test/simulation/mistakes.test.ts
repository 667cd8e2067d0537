/**
 * The checker of the simulation must find mistakes: each of these breaks one method of the real
 * code, and some world must reveal it.
 *
 * `WATCHWORD_TRACE=1` prints which world did.
 */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { AgreedTime } from '../../src/revocation/follower/agreed-time.js'
import type { StoreChanges } from '../../src/revocation/follower/follower-options.js'
import { Freshness } from '../../src/revocation/follower/freshness.js'
import { Members } from '../../src/revocation/follower/members.js'
import { Publisher } from '../../src/revocation/follower/publisher.js'
import { Replica } from '../../src/revocation/follower/replica.js'
import { Republisher } from '../../src/revocation/follower/republisher.js'
import { RevocationIndex } from '../../src/revocation/index/revocation-index.js'
import { linkOf } from '../../src/revocation/log/seal.js'
import { ready } from '../../src/token/self-test.js'
import type { FaultName } from './faults.js'
import { MAX_STALENESS_MS, Process } from './node.js'
import { SharedStore } from './store.js'
import { faultsOf, live, World } from './world.js'

const WORLDS_OF_A_MUTANT = 400
const MINUTES = 60_000

beforeAll(() => ready)

/** A store that never reports anything new. */
const NOTHING: StoreChanges = {
  begin: async () => '0',
  since: async () => '0',
  recent: async () => {},
  all: async () => {},
}

/** Plausible mistakes; each breaks a method of the real code. */
const MISTAKES: Readonly<Record<string, () => void>> = {
  'compares numbers, not links': () => {
    vi.spyOn(Replica.prototype, 'agrees').mockImplementation(function (this: Replica, head) {
      return head.epoch === this.position.epoch && head.seq === this.position.seq
    })
  },
  'accepts any head as its own': () => {
    vi.spyOn(Replica.prototype, 'agrees').mockImplementation(function (this: Replica, head) {
      return head.epoch === this.position.epoch
    })
  },
  'counts the lease from the reply': () => {
    const { prove } = Freshness.prototype
    vi.spyOn(Freshness.prototype, 'prove').mockImplementation(function (this: Freshness, _, at) {
      prove.call(this, this.mark(), at)
    })
  },
  'ignores the age of a seal': () => {
    const { prove } = Freshness.prototype
    vi.spyOn(Freshness.prototype, 'prove').mockImplementation(function (this: Freshness, mark) {
      prove.call(this, mark)
    })
  },
  'continues after a gap': () => {
    const { take } = Replica.prototype
    vi.spyOn(Replica.prototype, 'take').mockImplementation(function (
      this: Replica,
      event,
      ...rest
    ) {
      const taken = take.call(this, event, ...rest)
      if (taken === 'ahead') this.enter(this.position.epoch, event.seq, linkOf(event.bytes))
      return taken
    })
  },
  'forgets entries with the epoch': () => {
    const { notice } = World.prototype
    vi.spyOn(World.prototype, 'notice').mockImplementation(function (this: World, process, kind) {
      notice.call(this, process, kind)
      if (kind !== 'epoch') return
      process.index.forget(Number.MAX_SAFE_INTEGER)
      process.index.forget(0)
    })
  },
  'republishes nothing': () => {
    vi.spyOn(Republisher.prototype, 'settle').mockImplementation(() => {})
  },
  'reads nothing from the store': () => {
    vi.spyOn(Process.prototype, 'backfill').mockImplementation(async () => {})
    vi.spyOn(Process.prototype, 'changes').mockReturnValue(NOTHING)
  },
  'reconnects without reading the store': () => {
    vi.spyOn(Process.prototype, 'changes').mockReturnValue(NOTHING)
  },
  'confirms a head that it cannot know': () => {
    const { append } = Publisher.prototype
    vi.spyOn(Publisher.prototype, 'append').mockImplementation(function (this: Publisher, entries) {
      return append.call(this, entries).catch(() => ({ epoch: '', seq: 0, link: new Uint8Array() }))
    })
  },
}

/** Mistakes that appear in worlds with one kind of fault. */
const MISTAKES_ABOUT: Readonly<Record<string, readonly [FaultName, () => void]>> = {
  'drops expired entries by its own clock': [
    'dates',
    () => {
      const { look } = AgreedTime.prototype
      vi.spyOn(AgreedTime.prototype, 'look').mockImplementation(async function (this: AgreedTime) {
        await look.call(this)
        return this.ownTimeOf(this.stamp())
      })
    },
  ],
  'purges the store by its own clock': [
    'dates',
    () => {
      const { look } = AgreedTime.prototype
      vi.spyOn(RevocationIndex.prototype, 'forget').mockImplementation(() => {})
      vi.spyOn(AgreedTime.prototype, 'look').mockImplementation(async function (this: AgreedTime) {
        await look.call(this)
        return this.ownTimeOf(this.stamp())
      })
    },
  ],
  'accepts nothing while any clock is wrong': [
    'dates',
    () => {
      const { within } = Freshness.prototype
      vi.spyOn(Process.prototype, 'isFresh', 'get').mockImplementation(function (this: Process) {
        const { freshness, time } = this.follower
        return (
          within.call(freshness, MAX_STALENESS_MS, this.machine.clock.judged()) && !time.disagrees
        )
      })
    },
  ],
  'relies on its own seal while others may be alive': [
    'split',
    () => {
      vi.spyOn(Members.prototype, 'alone', 'get').mockReturnValue(true)
    },
  ],
  'takes a message of one member for a message of all': [
    'split',
    () => {
      const { signed } = Members.prototype
      vi.spyOn(Members.prototype, 'signed').mockImplementation(function (this: Members, life) {
        signed.call(this, life)
        for (const other of this.others()) signed.call(this, other.life)
      })
    },
  ],
  'does not read from the store what the other side revoked': [
    'split',
    () => {
      vi.spyOn(Process.prototype, 'changes').mockReturnValue(NOTHING)
    },
  ],
  'reads no rotations back from the store': [
    'forgotten',
    () => {
      const { readAfter } = SharedStore.prototype
      vi.spyOn(SharedStore.prototype, 'readAfter').mockImplementation(function (
        this: SharedStore,
        cursor,
        into,
      ) {
        const all = new RevocationIndex()
        readAfter.call(this, cursor, all)
        for (const entry of all.entries()) if (entry.kind !== 'rotated') into.apply(entry)
      })
    },
  ],
  'starts alone and reads only recent changes': [
    'forgotten',
    () => {
      const { changes } = Process.prototype
      vi.spyOn(Process.prototype, 'changes').mockImplementation(function (this: Process) {
        return { ...changes.call(this), all: async () => {} }
      })
    },
  ],
}

/** The next world with that fault, among the numbers from `from` on. */
function nextAbout(fault: FaultName | undefined, from: number): number {
  let number = from
  while (fault !== undefined && !faultsOf(`world ${number}`).includes(fault)) number++
  return number
}

async function findBroken(fault?: FaultName): Promise<string | undefined> {
  let number = -1
  for (let i = 0; i < WORLDS_OF_A_MUTANT; i++) {
    number = nextAbout(fault, number + 1)
    const { violation } = await live(`world ${number}`)
    if (violation !== undefined) return `world ${number}: ${violation.message}`
  }
  return undefined
}

describe('the checker finds a node that', () => {
  afterEach(() => vi.restoreAllMocks())

  const about = Object.entries(MISTAKES_ABOUT).map(
    ([name, [fault, make]]) => [name, make, fault] as const,
  )
  const anywhere = Object.entries(MISTAKES).map(([name, make]) => [name, make, undefined] as const)
  it.each([...anywhere, ...about])('%s', { timeout: 10 * MINUTES }, async (name, make, fault) => {
    make()
    const found = await findBroken(fault)
    expect(found).toBeDefined()
    if (process.env['WATCHWORD_TRACE']) console.log(name, found)
  })
})
