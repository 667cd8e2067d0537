/** What nodes do when the log is split: each half accepts writes, and neither sees those of the other. */
import { afterEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import type { Store } from 'watchword/store'
import { chaosLog } from 'watchword/testkit'
import {
  ACTOR,
  around,
  drive,
  type Fleet,
  issueOn,
  MINUTE,
  newFleet,
  SECOND,
  verdict,
} from '../../../support/fleet.js'
import { cases } from '../../../support/runs.js'

const MAX_STALENESS_MS = 2 * SECOND
const TOLERANCE_MS = SECOND
const PROMISE_MS = MAX_STALENESS_MS + TOLERANCE_MS
/** Four renewals of a member's entry, with room for jitter. */
const ENTRY_MS = 2 * MINUTE + 10 * SECOND

/** Store and feed on one server, or on two, or no store that outlives a process. */
type Place = 'one server' | 'two servers'
type StoreState = 'up' | 'fails' | 'hangs' | 'is slow'

describe('a log that is split', () => {
  let fleet: Fleet
  afterEach(() => drive(fleet.clock, fleet.close()))

  /** A fleet on a log of two halves: each feed leads to the half that the test selects. */
  async function setup(place: Place) {
    fleet = await newFleet({ maxStaleness: MAX_STALENESS_MS, clockTolerance: TOLERANCE_MS })
    const { clock } = fleet
    const whole = chaosLog()
    const half = chaosLog()
    const server = async () => 'server:1'
    const lines: { log: RevocationFeed; isCut: boolean; store: StoreState }[] = []
    const shared: Store = { ...around(fleet.store), supports: { durable: true }, identity: server }
    /** The store, as the node that starts next reaches it. */
    const storeOf = (): Store => {
      const number = lines.length
      return new Proxy(shared, {
        get(target, key) {
          const member: unknown = Reflect.get(target, key)
          if (typeof member !== 'function') return member
          return async (...args: unknown[]) => {
            const state = lines[number]?.store
            if (state === 'fails') throw new Error('the store is cut off')
            if (state === 'hangs') await new Promise(() => {})
            if (state === 'is slow')
              await new Promise<void>((resolve) => clock.setTimer(resolve, 0.9 * MAX_STALENESS_MS))
            return Reflect.apply(member, target, args)
          }
        },
      })
    }
    const lineOf = (): RevocationFeed => {
      const line = { log: whole.feed(), isCut: false, store: 'up' as StoreState }
      lines.push(line)
      const log = () => {
        if (line.isCut) throw new Error('cut off')
        return line.log
      }
      return {
        info: { ...line.log.info, push: false },
        open: async () => {},
        close: async () => {},
        head: async (options) => log().head(options),
        read: async (after, limit, options) => log().read(after, limit, options),
        append: async (...args) => log().append(...args),
        touch: async (...args) => (await log().touch?.(...args)) ?? false,
        identity: place === 'one server' ? server : async () => 'server:2',
      }
    }
    return {
      clock,
      start: (node: string) =>
        drive(clock, fleet.start({ node, store: storeOf(), feed: lineOf() })),
      /** Cuts a node off from the log and from the store, or the store off from every node. */
      cutOff(number: number) {
        Object.assign(lines[number] ?? {}, { isCut: true, store: 'fails' })
      },
      setStore(state: StoreState, from = 0, to = lines.length) {
        for (const line of lines.slice(from, to)) line.store = state
      },
      /** Leads the nodes from this one on to the other half. */
      split(from: number) {
        half.head = whole.head
        half.events = [...whole.events]
        for (const line of lines.slice(from)) line.log = half.feed()
      },
      /** Ends a node as `kill -9` does. */
      async kill(number: number, node: Watchword) {
        const line = lines[number]
        if (line !== undefined) line.isCut = true
        await drive(clock, node.close())
      },
    }
  }

  /** The last time in this period, in steps of 100 ms, at which the node accepted the token. */
  async function lastAccepted(node: Watchword, token: string, forMs: number): Promise<number> {
    let last = 0
    for (let at = 0; at < forMs; at += 100) {
      await fleet.clock.advance(100)
      if (node.verify(token).ok) last = at + 100
    }
    return last
  }

  it.each([2, 3])(
    'lets the only node on one half, of %s in total, learn revocations from a separate store',
    async (count) => {
      const { start, split, clock } = await setup('two servers')
      const nodes: Watchword[] = []
      for (let i = 0; i < count; i++) nodes.push(await start(`node-${i}`))
      const [first] = nodes as [Watchword]
      const alone = nodes.at(-1) as Watchword
      const { token } = await issueOn(first)
      await clock.advance(5 * SECOND)
      split(count - 1)
      await clock.advance(10 * SECOND)
      expect(verdict(alone.verify(token))).toBe('ok')
      await drive(clock, first.revoke({ token }, ACTOR))
      expect(await lastAccepted(alone, token, 20 * SECOND)).toBeLessThanOrEqual(MAX_STALENESS_MS)
      expect(alone.health()).toMatchObject({
        status: 'live',
        witness: 'store',
        sharedServer: false,
      })
      expect(verdict(alone.verify(token))).toBe('revoked')
    },
  )

  it.each([0, 300, 700, 1100, 1500, 1900])(
    'hides nothing for longer than the lease from a node that is cut off from everything %s ms later',
    async (afterMs) => {
      const { start, split, cutOff, clock } = await setup('two servers')
      const [a, b, c] = [await start('a'), await start('b'), await start('c')]
      const { token } = await issueOn(a)
      await clock.advance(5 * SECOND)
      split(2)
      await clock.advance(10 * SECOND + afterMs)
      for (const node of [a, b, c]) expect(verdict(node.verify(token))).toBe('ok')
      await drive(clock, c.revoke({ token }, ACTOR))
      const revokedAt = clock.now()
      await clock.advance(afterMs % 400)
      cutOff(0)
      const before = clock.now() - revokedAt
      const last = await lastAccepted(a, token, 10 * SECOND)
      expect(last === 0 ? 0 : last + before).toBeLessThanOrEqual(MAX_STALENESS_MS)
    },
  )

  it('hides nothing for longer than the lease from nodes that cannot read the store', async () => {
    const { start, split, setStore, clock } = await setup('two servers')
    const [a, b, c] = [await start('a'), await start('b'), await start('c')]
    const { token } = await issueOn(a)
    await clock.advance(5 * SECOND)
    split(2)
    setStore('fails', 0, 2)
    await drive(clock, c.revoke({ token }, ACTOR))
    expect(await lastAccepted(a, token, 20 * SECOND)).toBeLessThanOrEqual(MAX_STALENESS_MS)
    for (const node of [a, b]) expect(node.health().status).toBe('stale')
    expect(c.health().status).toBe('live')
  })

  it('hides nothing from a node that was alone when another one started on the other half', async () => {
    const { start, split, clock } = await setup('two servers')
    const a = await start('a')
    const { token } = await issueOn(a)
    await clock.advance(5 * SECOND)
    const b = await start('b')
    await drive(clock, b.close())
    expect(a.health().alone).toBe(true)
    split(2)
    const c = await start('c')
    // A new connection leads to the whole log.
    split(2)
    await clock.advance(10 * SECOND)
    expect(verdict(c.verify(token))).toBe('ok')
    await drive(clock, c.revoke({ token }, ACTOR))
    expect(await lastAccepted(a, token, 20 * SECOND)).toBeLessThanOrEqual(MAX_STALENESS_MS)
    expect(verdict(a.verify(token))).toBe('revoked')
  })

  it.each(
    cases([1, 2, 3, 5], (count) => count < 3).flatMap((count) =>
      (['fails', 'hangs', 'is slow'] as const).map((state) => [count, state] as const),
    ),
  )(
    'is not suspected by %s nodes while the store %s, if each of them is heard from',
    async (count, state) => {
      const { start, setStore, clock } = await setup('two servers')
      const nodes: Watchword[] = []
      for (let i = 0; i < count; i++) nodes.push(await start(`node-${i}`))
      await clock.advance(20 * SECOND)
      setStore(state)
      for (let at = 0; at < 3 * MINUTE; at += 100) {
        await clock.advance(100)
        for (const node of nodes) expect(node.health().status).toBe('live')
      }
      expect(nodes[0]?.health().witness).toBe(count === 1 ? 'self' : 'members')
      setStore('up')
      await clock.advance(5 * SECOND)
      for (const node of nodes) expect(node.health().status).toBe('live')
    },
  )

  it('is suspected while the store is away and one of three nodes is silent, until its entry has ended', async () => {
    const { start, kill, setStore, clock } = await setup('two servers')
    const [a, b, c] = [await start('a'), await start('b'), await start('c')]
    await clock.advance(5 * SECOND)
    setStore('fails')
    await kill(2, c)
    await clock.advance(PROMISE_MS)
    for (const node of [a, b]) expect(node.health().status).toBe('stale')
    setStore('up')
    await clock.advance(ENTRY_MS)
    for (const node of [a, b]) expect(node.health().status).toBe('live')
    setStore('fails')
    for (let at = 0; at < MINUTE; at += 100) {
      await clock.advance(100)
      for (const node of [a, b]) expect(node.health().status).toBe('live')
    }
  })

  it.each(['its entry has ended', 'it was given up'])(
    'for long hides nothing that a separate store has: a lost node is not forgotten when %s',
    async (how) => {
      const { start, split, clock } = await setup('two servers')
      const [a, b] = [await start('a'), await start('b')]
      const { token } = await issueOn(a)
      await clock.advance(5 * SECOND)
      split(1)
      if (how === 'it was given up')
        await drive(clock, b.revoke({ subject: 'unused' }, { ...ACTOR, waitFor: 'all' }))
      await clock.advance(ENTRY_MS)
      expect(b.health().alone).toBe(true)
      await clock.advance(2 * MINUTE)
      expect(verdict(b.verify(token))).toBe('ok')
      await drive(clock, a.revoke({ token }, ACTOR))
      expect(await lastAccepted(b, token, 20 * SECOND)).toBeLessThanOrEqual(MAX_STALENESS_MS)
      expect(verdict(b.verify(token))).toBe('revoked')
    },
  )

  it('leaves a node without evidence stale, when store and feed are on one server', async () => {
    const { start, split, clock } = await setup('one server')
    const [a, b] = [await start('a'), await start('b')]
    const { token } = await issueOn(a)
    await clock.advance(5 * SECOND)
    split(1)
    await drive(clock, a.revoke({ token }, ACTOR)).catch(() => undefined)
    expect(await lastAccepted(b, token, 90 * SECOND)).toBeLessThanOrEqual(PROMISE_MS)
    expect(b.health()).toMatchObject({
      status: 'stale',
      alone: false,
      sharedServer: true,
      members: [{ node: 'a' }],
    })
  })

  it('leaves such a node stale also when it gives up the silent node', async () => {
    const { start, split, clock } = await setup('one server')
    const [a, b] = [await start('a'), await start('b')]
    const { token } = await issueOn(a)
    await clock.advance(5 * SECOND)
    split(1)
    const receipt = () => drive(clock, b.revoke({ subject: 'x' }, { ...ACTOR, waitFor: 'all' }))
    expect((await receipt()).nodes).toEqual({ applied: ['b'], pending: ['a'] })
    expect((await receipt()).nodes).toEqual({ applied: ['b'], pending: [] })
    await drive(clock, a.revoke({ token }, ACTOR)).catch(() => undefined)
    expect(await lastAccepted(b, token, 60 * SECOND)).toBe(0)
    expect(b.health()).toMatchObject({ status: 'stale', alone: false, members: [{ node: 'a' }] })
  })

  it('leaves nodes live that see each other', async () => {
    const { start, split, clock } = await setup('one server')
    const [a, b, c] = [await start('a'), await start('b'), await start('c')]
    const { token } = await issueOn(a)
    await clock.advance(5 * SECOND)
    split(2)
    await drive(clock, a.revoke({ token }, ACTOR))
    for (let i = 0; i < 60; i++) {
      await clock.advance(SECOND)
      for (const node of [a, b]) expect(node.health().status).toBe('live')
    }
    expect(a.health().witness).toBe('members')
    expect(c.health().status).toBe('stale')
  })

  it.each<Place>(['one server', 'two servers'])(
    'is not suspected when a node closes: the other one stays live throughout (%s)',
    async (place) => {
      const { start, clock } = await setup(place)
      const [a, b] = [await start('a'), await start('b')]
      await clock.advance(5 * SECOND)
      await drive(clock, a.close())
      for (let i = 0; i < 30; i++) {
        await clock.advance(SECOND)
        expect(b.health().status).toBe('live')
      }
      expect(b.health()).toMatchObject({ alone: true, members: [] })
    },
  )

  it('is indistinguishable from a killed node, yet a separate store keeps the other one live throughout', async () => {
    const { start, kill, clock } = await setup('two servers')
    const [a, b] = [await start('a'), await start('b')]
    await clock.advance(5 * SECOND)
    await kill(0, a)
    for (let i = 0; i < 150; i++) {
      await clock.advance(SECOND)
      expect(b.health().status).toBe('live')
    }
    expect(b.health().alone).toBe(true)
  })

  it('is suspected when a node is killed, on one server, until its entry has ended', async () => {
    const { start, kill, clock } = await setup('one server')
    const [a, b] = [await start('a'), await start('b')]
    await clock.advance(5 * SECOND)
    await kill(0, a)
    await clock.advance(PROMISE_MS + SECOND)
    expect(b.health().status).toBe('stale')
    await clock.advance(ENTRY_MS)
    expect(b.health()).toMatchObject({ status: 'live', alone: true, witness: 'self' })
  })

  it('is no longer suspected when the killed node, or another one, starts', async () => {
    const { start, kill, clock } = await setup('one server')
    const [a, b] = [await start('a'), await start('b')]
    await clock.advance(5 * SECOND)
    await kill(0, a)
    await clock.advance(PROMISE_MS + SECOND)
    expect(b.health().status).toBe('stale')
    const again = await start('a')
    await clock.advance(SECOND)
    for (const node of [again, b]) expect(node.health().status).toBe('live')
    expect(b.health().members.map(({ node }) => node)).toEqual(['a'])
  })
})
