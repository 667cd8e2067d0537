/** A node whose wall clock is wrong can harm other nodes only in ways that can be undone. */
import { afterEach, describe, expect, it } from 'vitest'
import type { Clock, Watchword } from 'watchword'
import type { Store } from 'watchword/store'
import { chaosLog, type ManualClock } from 'watchword/testkit'
import {
  ACTOR,
  around,
  DAY,
  drive,
  type Fleet,
  issueOn,
  MINUTE,
  newFleet,
  SECOND,
  verdict,
} from '../../../support/fleet.js'
import { cases } from '../../../support/runs.js'

const EVERY_OFFSET: readonly (readonly [string, number])[] = [
  ['2 minutes ahead', 2 * MINUTE],
  ['75 minutes ahead', 75 * MINUTE],
  ['40 days ahead', 40 * DAY],
  ['4,000 days ahead', 4000 * DAY],
  ['75 minutes behind', -75 * MINUTE],
  ['40 days behind', -40 * DAY],
  ['4,000 days behind', -4000 * DAY],
]
const OFFSETS = cases(EVERY_OFFSET, ([, offset]) => offset === 75 * MINUTE || offset === -40 * DAY)

/** A settable clock on top of the fleet's clock. */
interface WrongClock extends Clock {
  offset: number
}

function wrongClock(clock: ManualClock, offset: number): WrongClock {
  const own: WrongClock = {
    offset,
    now: () => clock.now() + own.offset,
    monotonic: clock.monotonic,
    setTimer: clock.setTimer,
  }
  return own
}

describe.each([true, false])('with a store that has a clock: %s,', (hasClock) => {
  let fleet: Fleet
  afterEach(() => drive(fleet.clock, fleet.close()))

  /** A fleet on one log, with a store that outlives its nodes. */
  async function setup() {
    fleet = await newFleet({
      maxStaleness: SECOND,
      clockTolerance: 200,
      policies: { service: { ttl: '30d', scopes: ['*'] } },
    })
    const { clock } = fleet
    const log = chaosLog()
    const now = async () => clock.now()
    const start = (options = {}): Promise<Watchword> => {
      const plain: Store = { ...around(fleet.store), supports: { durable: true } }
      const store = hasClock ? { ...plain, now } : plain
      return drive(clock, fleet.start({ feed: log.feed(), store, ...options }))
    }
    return { clock, start, close: (node: Watchword) => drive(clock, node.close()) }
  }

  const issueFrom = (node: Watchword) =>
    issueOn(node, { policy: 'service', scopes: ['orders:read'] })

  /** The rows of the store that must not be removed yet. */
  async function kept(id: string) {
    const revocations = await fleet.store.listRevocations({ limit: 100 })
    return {
      revoked: revocations.some(({ value }) => value === id),
      record: (await fleet.store.getToken(id)) !== undefined,
    }
  }

  it.each(OFFSETS)(
    'a node that starts %s and runs alone for a while, over several starts, deletes nothing needed',
    { timeout: 60_000 },
    async (_, offset) => {
      const { clock, start, close } = await setup()
      const first = await start()
      const { token, id } = await issueFrom(first)
      await drive(clock, first.revoke({ id }, ACTOR))
      const keys = new Set((await fleet.store.listKeys()).map((key) => key.id))
      await close(first)
      for (let life = 0; life < 3; life++) {
        const wrong = await start({ clock: wrongClock(clock, offset) }).catch(() => undefined)
        await clock.advance(3 * MINUTE)
        expect(wrong?.verify(token).ok ?? false).toBe(false)
        if (wrong !== undefined) await close(wrong)
      }
      expect(await kept(id)).toEqual({ revoked: true, record: true })
      const left = new Set((await fleet.store.listKeys()).map((key) => key.id))
      expect([...keys].filter((key) => !left.has(key))).toEqual([])
      const later = await start()
      expect(verdict(later.verify(token))).toBe('revoked')
      expect(later.health().status).toBe('live')
      const fresh = await issueFrom(later)
      expect(verdict(later.verify(fresh.token))).toBe('ok')
    },
  )

  it.each(OFFSETS)(
    'a node that is set %s while it runs beside a correct node, and back, deletes nothing needed',
    { timeout: 60_000 },
    async (_, offset) => {
      const { clock, start } = await setup()
      const right = await start()
      const own = wrongClock(clock, 0)
      const wrong = await start({ clock: own })
      const { token, id } = await issueFrom(right)
      const { token: valid } = await issueFrom(right)
      await drive(clock, right.revoke({ id }, ACTOR))
      for (const wrongBy of [offset, 0, offset, -offset, 0]) {
        own.offset = wrongBy
        await clock.advance(4 * MINUTE)
        expect(verdict(right.verify(token))).toBe('revoked')
        expect(right.health().status).toBe('live')
        expect(verdict(right.verify(valid))).toBe('ok')
        if (wrongBy !== 0) expect(wrong.health().incidents.clock).toBeGreaterThan(0)
      }
      expect(await kept(id)).toEqual({ revoked: true, record: true })
      await clock.advance(6 * MINUTE)
      expect(verdict(wrong.verify(token))).toBe('revoked')
      expect(verdict(wrong.verify(valid))).toBe('ok')
      const later = await start()
      expect(verdict(later.verify(token))).toBe('revoked')
      expect(verdict(later.verify(valid))).toBe('ok')
    },
  )

  it.each(OFFSETS)(
    'a node with a correct clock starts beside one that is %s',
    async (_, offset) => {
      const { clock, start } = await setup()
      const first = await start()
      const { token, id } = await issueFrom(first)
      await drive(clock, first.revoke({ id }, ACTOR))
      const wrong = await start({ clock: wrongClock(clock, offset) }).catch(() => undefined)
      await clock.advance(2 * MINUTE)
      const right = await start()
      await clock.advance(2 * MINUTE)
      expect(right.health().status).toBe('live')
      expect(first.health().status).toBe('live')
      expect(verdict(right.verify(token))).toBe('revoked')
      const fresh = await issueFrom(right)
      expect(verdict(first.verify(fresh.token))).toBe('ok')
      expect(wrong?.verify(token).ok ?? false).toBe(false)
    },
  )

  // Without a store clock, the time of the log is as late as the latest clock.
  it.each(hasClock ? OFFSETS : OFFSETS.filter(([, offset]) => offset > 0))(
    'a node that is %s revokes by time what the others have issued',
    async (_, offset) => {
      const { clock, start } = await setup()
      const right = await start()
      const own = wrongClock(clock, 0)
      const wrong = await start({ clock: own })
      own.offset = offset
      await clock.advance(2 * MINUTE)
      const { token, subject } = await issueFrom(right)
      await clock.advance(SECOND)
      expect(verdict(right.verify(token))).toBe('ok')
      // Without a key to seal with, the others learn of it from the store.
      await drive(clock, wrong.revoke({ subject }, ACTOR)).catch(() => undefined)
      await clock.advance(5 * SECOND)
      expect(verdict(right.verify(token))).toBe('revoked')
      const later = await start()
      expect(verdict(later.verify(token))).toBe('revoked')
      if (!hasClock) return
      // It does not revoke what is issued afterwards either, on nodes that learn of it at once or later.
      await clock.advance(MINUTE)
      const next = await issueFrom(right)
      expect(next.issuedAt).toBe(clock.now())
      await clock.advance(5 * MINUTE)
      for (const node of [right, later, await start()])
        expect(verdict(node.verify(next.token))).toBe('ok')
    },
  )

  it('what has expired by the agreed time is dropped', async () => {
    const { clock, start } = await setup()
    const first = await start()
    const { id } = await first.issue({ policy: 'service', subject: 'svc', ttl: '1m', ...ACTOR })
    await drive(clock, first.revoke({ id }, ACTOR))
    await clock.advance(5 * MINUTE)
    expect(await kept(id)).toMatchObject({ revoked: true })
    await start()
    await clock.advance(2 * MINUTE)
    expect(await kept(id)).toMatchObject({ revoked: false })
  })
})
