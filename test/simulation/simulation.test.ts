/**
 * Ten thousand worlds, each from a seed: nodes that revoke and verify over a network that loses, on machines that stop,
 * with a log that is set back, cut and forged. In each, every promise of the revocation feed must hold.
 *
 * `WATCHWORD_SEEDS=50000` lives through more of them; `WATCHWORD_SEED='world 17'` through that one, and tells what happens.
 */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { StoreChanges } from '../../src/revocation/follower/follower-options.js'
import { Freshness } from '../../src/revocation/follower/freshness.js'
import { Publisher } from '../../src/revocation/follower/publisher.js'
import { Recovery } from '../../src/revocation/follower/recovery.js'
import { Replica } from '../../src/revocation/follower/replica.js'
import { linkOf } from '../../src/revocation/log/seal.js'
import { ready } from '../../src/token/self-test.js'
import { FAULTS } from './faults.js'
import { Process } from './node.js'
import { live, type Outcome, World } from './world.js'

/** A store that never tells of anything new. */
const NOTHING: StoreChanges = {
  begin: async () => '0',
  since: async () => '0',
  recent: async () => {},
}

const WORLDS = Number(process.env['WATCHWORD_SEEDS'] ?? (process.env['CI'] ? 10_000 : 2000))
const WORLDS_OF_A_MUTANT = 400
const MINUTES = 60_000

beforeAll(() => ready)

/** What became of a world in which a promise was broken, with how to live through it again. */
function report(seed: string, { violation, faults }: Outcome): string {
  return `${violation?.message} [${faults}]: replay with WATCHWORD_SEED='${seed}'`
}

describe('the revocation feed', () => {
  it('keeps every promise in every world', { timeout: 60 * MINUTES }, async () => {
    const chosen = process.env['WATCHWORD_SEED']
    const seeds =
      chosen === undefined ? Array.from({ length: WORLDS }, (_, i) => `world ${i}`) : [chosen]
    const trace = chosen === undefined ? undefined : (line: string) => console.log(line)
    const broken: string[] = []
    const faults = new Set<string>()
    const incidents = new Set<string>()
    let acked = 0
    for (const seed of seeds) {
      const outcome = await live(seed, trace)
      if (outcome.violation !== undefined) broken.push(report(seed, outcome))
      acked += outcome.acked
      for (const fault of outcome.faults) faults.add(fault)
      for (const incident of outcome.incidents.keys()) incidents.add(incident)
    }
    expect(broken).toEqual([])
    if (seeds.length < 1000) return
    // Worlds in which nothing happens would prove nothing.
    expect(acked / seeds.length).toBeGreaterThan(4)
    expect([...faults].sort()).toEqual(Object.keys(FAULTS).sort())
    // Where clocks are wrong, that is noticed as well.
    expect([...incidents].filter((kind) => kind !== 'clock').sort()).toEqual(
      [
        'epoch',
        'fork',
        'frozen',
        'recalled',
        'refused',
        'repaired',
        'rollback',
        'tampered',
        'torn',
        'trimmed',
        'vanished',
      ].sort(),
    )
  })

  it.each(['world 1', 'world 2', 'world 3'])('lives through %s twice the same', async (seed) => {
    const traceOf = async () => {
      const lines: string[] = []
      await live(seed, (line) => lines.push(line.replace(/ \S+\/(\d+)$/, ' $1')))
      return lines
    }
    const first = await traceOf()
    expect(first.length).toBeGreaterThan(10)
    expect(await traceOf()).toEqual(first)
  })
})

/** Mistakes that somebody could make; each breaks a method of the real thing. */
const MISTAKES: Readonly<Record<string, () => void>> = {
  'compares numbers, not links': () => {
    vi.spyOn(Replica.prototype, 'agrees').mockImplementation(function (this: Replica, head) {
      return head.epoch === this.position.epoch && head.seq === this.position.seq
    })
  },
  'takes any head for its own': () => {
    vi.spyOn(Replica.prototype, 'agrees').mockImplementation(function (this: Replica, head) {
      return head.epoch === this.position.epoch
    })
  },
  'counts the lease from the answer': () => {
    const { prove } = Freshness.prototype
    vi.spyOn(Freshness.prototype, 'prove').mockImplementation(function (this: Freshness, _, at) {
      prove.call(this, this.mark(), at)
    })
  },
  'does not mind how old a seal is': () => {
    const { prove } = Freshness.prototype
    vi.spyOn(Freshness.prototype, 'prove').mockImplementation(function (this: Freshness, mark) {
      prove.call(this, mark)
    })
  },
  'goes on behind a gap': () => {
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
  'forgets with the epoch': () => {
    const { notice } = World.prototype
    vi.spyOn(World.prototype, 'notice').mockImplementation(function (this: World, process, kind) {
      notice.call(this, process, kind)
      if (kind !== 'epoch') return
      process.index.forget(Number.MAX_SAFE_INTEGER)
      process.index.forget(0)
    })
  },
  'gives nothing back': () => {
    vi.spyOn(Recovery.prototype, 'settle').mockImplementation(() => {})
  },
  'reads nothing from the store': () => {
    vi.spyOn(Process.prototype, 'refill').mockImplementation(async () => {})
    vi.spyOn(Process.prototype, 'changes').mockReturnValue(NOTHING)
  },
  'comes back without asking the store': () => {
    vi.spyOn(Process.prototype, 'changes').mockReturnValue(NOTHING)
  },
  'confirms what it cannot know': () => {
    const { publish } = Publisher.prototype
    vi.spyOn(Publisher.prototype, 'publish').mockImplementation(function (
      this: Publisher,
      entries,
    ) {
      return publish
        .call(this, entries)
        .catch(() => ({ epoch: '', seq: 0, link: new Uint8Array() }))
    })
  },
}

describe('the checker finds a node that', () => {
  afterEach(() => vi.restoreAllMocks())

  it.each(Object.keys(MISTAKES))('%s', { timeout: 10 * MINUTES }, async (name) => {
    MISTAKES[name]?.()
    let found: string | undefined
    for (let i = 0; i < WORLDS_OF_A_MUTANT && found === undefined; i++) {
      const outcome = await live(`world ${i}`)
      if (outcome.violation !== undefined) found = `world ${i}: ${outcome.violation.message}`
    }
    expect(found).toBeDefined()
    if (process.env['WATCHWORD_TRACE']) console.log(name, found)
  })
})
