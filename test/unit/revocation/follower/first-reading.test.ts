/**
 * A log that lost something before a node had read it. Only the store can then supply it, if the node that revoked is
 * gone.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import type { Store } from 'watchword/store'
import { type ChaosFeed, type ChaosLog, chaosFeed, chaosLog, manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { FirstReading } from '../../../../src/revocation/follower/first-reading.js'
import { RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import {
  ACTOR,
  around,
  drive,
  type Fleet,
  flush,
  issueOn,
  MINUTE,
  newFleet,
  newGate,
  SECOND,
  verdict,
} from '../../../support/fleet.js'

interface Node {
  readonly watchword: Watchword
  readonly feed: ChaosFeed
}

describe('a revocation that the log lost before a node had read it', () => {
  let fleet: Fleet
  afterEach(() => drive(fleet.clock, fleet.close()))

  async function start(log: ChaosLog, store?: Store): Promise<Node> {
    const feed = chaosFeed(log.feed(), 'calm', { clock: fleet.clock })
    feed.calm()
    const options = { feed, maxStaleness: SECOND, clockTolerance: 200, ...(store && { store }) }
    return { feed, watchword: await drive(fleet.clock, fleet.start(options)) }
  }

  /** Two nodes, the second of which missed the last three revocations; the first one is gone. */
  async function leftBehind(supports: Store['supports'] = { durable: true }) {
    fleet = await newFleet()
    const log = chaosLog()
    const store = () => ({ ...around(fleet.store), supports })
    const ahead = await start(log, store())
    const behind = await start(log, store())
    const revokeOne = async () => {
      const { token } = await issueOn(ahead.watchword)
      await drive(fleet.clock, ahead.watchword.revoke({ token }, ACTOR))
      return token
    }
    for (let i = 0; i < 3; i++) await revokeOne()
    const ok = await issueOn(ahead.watchword)
    const known = await drive(fleet.clock, fleet.clock.advance(SECOND)).then(() => log.head)
    behind.feed.partition()
    const missed = [await revokeOne(), await revokeOne(), await revokeOne()]
    ahead.feed.partition()
    await fleet.clock.advance(2 * SECOND)
    return { log, behind, missed, seq: known?.seq ?? 0, ok: ok.token }
  }

  /** Reconnects the node to the log. Returns every verdict on the tokens until the node is idle again. */
  async function verdictsOf({ watchword, feed }: Node, tokens: readonly string[]) {
    feed.heal()
    const seen = new Set<string>()
    for (let i = 0; i < 100; i++) {
      await fleet.clock.advance(50)
      for (const token of tokens) seen.add(verdict(watchword.verify(token)))
    }
    return { seen, final: tokens.map((token) => verdict(watchword.verify(token))) }
  }

  const REVOKED = ['revoked', 'revoked', 'revoked']

  it.each<[string, (log: ChaosLog, seq: number) => void]>([
    ['that was wiped', (log) => log.wipe()],
    ['that was rolled back', (log) => log.rollback(4)],
    ['that was trimmed externally', (log) => log.truncate(log.head?.seq ?? 0)],
    [
      'with a hole',
      (log, seq) => {
        log.events = log.events.filter((event) => event.seq !== seq + 2)
      },
    ],
    [
      'with a forged head and its end cut off',
      (log, seq) => {
        log.events = log.events.filter((event) => event.seq <= seq)
        if (log.head !== null) log.head = { ...log.head, bytes: new Uint8Array(200) }
      },
    ],
  ])('still takes effect, from a log %s', async (_, harm) => {
    const { log, behind, missed, seq, ok } = await leftBehind()
    harm(log, seq)
    const { seen, final } = await verdictsOf(behind, missed)
    expect([...seen].filter((each) => each !== 'stale' && each !== 'revoked')).toEqual([])
    expect(final).toEqual(REVOKED)
    expect(verdict(behind.watchword.verify(ok))).toBe('ok')
    // A node that starts later has it from the log again.
    const late = await start(log)
    expect(missed.map((token) => verdict(late.watchword.verify(token)))).toEqual(REVOKED)
  })

  it('comes from a node that has it, when the log was trimmed before the store had it', async () => {
    fleet = await newFleet()
    const log = chaosLog()
    const store: Store = { ...around(fleet.store), supports: { durable: true } }
    const ahead = await start(log, { ...store, listRevocations: async () => [] })
    const behind = await start(log, { ...store, listRevocations: async () => [] })
    behind.feed.partition()
    const { token } = await issueOn(ahead.watchword)
    await drive(fleet.clock, ahead.watchword.revoke({ token }, ACTOR))
    log.truncate(log.head?.seq ?? 0)
    const { final } = await verdictsOf(behind, [token])
    expect(final).toEqual(['revoked'])
  })

  it('may be a rotation: its predecessor ends on a node that starts when no other node is left', async () => {
    fleet = await newFleet()
    const { clock } = fleet
    const log = chaosLog()
    const store: Store = { ...around(fleet.store), supports: { durable: true } }
    const a = await start(log, store)
    const { token } = await issueOn(a.watchword)
    const other = await issueOn(a.watchword)
    await drive(clock, a.watchword.revoke({ token: other.token }, ACTOR))
    const seq = log.head?.seq ?? 0
    const successor = await drive(clock, a.watchword.rotate(token, ACTOR))
    a.feed.partition()
    log.rollback((log.head?.seq ?? 0) - seq)
    const late = await start(log, store)
    expect(verdict(late.watchword.verify(token))).toBe('ok')
    await clock.advance(MINUTE)
    expect(verdict(late.watchword.verify(token))).toBe('superseded')
    expect(verdict(late.watchword.verify(successor.token))).toBe('ok')
    const next = await start(log)
    expect(verdict(next.watchword.verify(token))).toBe('superseded')
  })

  it('cannot be recovered without a store that outlives the process, so every token is rejected', async () => {
    const { log, behind, missed, ok } = await leftBehind({ durable: false })
    log.truncate(log.head?.seq ?? 0)
    const { seen } = await verdictsOf(behind, [...missed, ok])
    expect([...seen]).toEqual(['stale'])
  })
})

describe('a first reading', () => {
  function newReading() {
    const clock = manualClock()
    const controller = new AbortController()
    const first = new FirstReading({
      clock: resolveClock(clock),
      maxStalenessMs: SECOND,
      maxEntries: 10,
      isContinued: () => false,
      signal: controller.signal,
    })
    let read = 0
    const settle = (readAll: () => Promise<void>) => first.settle(readAll, () => read++)
    return { clock, controller, first, settle, timesRead: () => read }
  }

  it('starts once no older member can be running, and runs once', async () => {
    const { clock, first, settle, timesRead } = newReading()
    const readAll = async () => {}
    settle(readAll)
    await flush()
    expect([first.found, timesRead()]).toEqual([undefined, 0])
    await clock.advance(SECOND)
    settle(readAll)
    await flush()
    expect(first.found).toBeInstanceOf(RevocationIndex)
    settle(readAll)
    await flush()
    expect(timesRead()).toBe(1)
  })

  it('is repeated after a failed read', async () => {
    const { clock, settle, timesRead } = newReading()
    settle(async () => {})
    await clock.advance(SECOND)
    settle(() => Promise.reject(new Error('the store is down')))
    await flush()
    await clock.advance(SECOND)
    settle(async () => {})
    await flush()
    expect(timesRead()).toBe(1)
  })

  it('that ends after the node has stopped has no effect', async () => {
    const { clock, controller, first, settle, timesRead } = newReading()
    const gate = newGate()
    settle(gate.pass)
    await clock.advance(SECOND)
    settle(gate.pass)
    controller.abort()
    gate.open()
    await flush()
    expect([first.found, timesRead()]).toEqual([undefined, 0])
  })
})
