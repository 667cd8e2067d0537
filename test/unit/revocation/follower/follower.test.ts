/** How nodes follow one log: by pushes that may or may not arrive, by polls, and by reading on demand. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import type { RevocationFeed, SealedEvent, WatchHint } from 'watchword/feed'
import {
  ACTOR,
  codeOf,
  drive,
  type Fleet,
  feedOver,
  flush,
  issueOn,
  logOf,
  newFleet,
  remoteFeed,
  SECOND,
  verdict,
} from '../../../support/fleet.js'

let fleet: Fleet
afterEach(() => drive(fleet.clock, fleet.close()))

/** Starts another node whose feed needs the clock to advance. */
const start = (feed: RevocationFeed) => drive(fleet.clock, fleet.start({ feed }))

/** Without pushes, polls are at most this far apart, including their jitter. */
const QUIET_POLL_MS = 250 * 1.2

type Wake = (hint?: WatchHint) => void

/** A feed whose push channel the test controls. */
function pushed(feed: RevocationFeed): { readonly feed: RevocationFeed; readonly push: Wake } {
  const wakes = new Set<Wake>()
  return {
    feed: remoteFeed(feed, {
      watch: (_from, wake, signal) => {
        wakes.add(wake)
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
      },
    }),
    push: (hint) => {
      for (const wake of wakes) wake(hint)
    },
  }
}

describe('two authorities on one feed', () => {
  it('know of each other’s revocations as soon as they resolve', async () => {
    fleet = await newFleet()
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const token = await issueOn(a)
    expect(verdict(b.verify(token.token))).toBe('ok')
    const { position } = await b.revoke({ id: token.id }, ACTOR)
    expect(verdict(a.verify(token.token))).toBe('revoked')
    await flush()
    for (const node of [a, b]) {
      expect(node.health()).toMatchObject({ status: 'live', lag: 0, rejectedEvents: 0, position })
    }
  })

  it('include one that starts later and reads the log from its start', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const tokens = await Promise.all(Array.from({ length: 1203 }, () => issueOn(a)))
    for (const { id } of tokens) await a.revoke({ id }, ACTOR)
    const alive = await issueOn(a)
    const late = await fleet.start()
    expect(late.health().position.seq).toBe(1203)
    for (const { token } of tokens) expect(verdict(late.verify(token))).toBe('revoked')
    expect(verdict(late.verify(alive.token))).toBe('ok')
  })

  it('lose nothing when both revoke at once, and the log stays dense', async () => {
    fleet = await newFleet()
    const [a, b] = [await start(remoteFeed(fleet.feed)), await start(remoteFeed(fleet.feed))]
    await fleet.clock.advance(SECOND)
    const before = await logOf(fleet.feed)
    const tokens = await Promise.all(Array.from({ length: 60 }, () => issueOn(a)))
    const revoking: Promise<unknown>[] = []
    for (const [i, { id }] of tokens.entries()) {
      revoking.push((i % 2 ? a : b).revoke({ id }, ACTOR))
      if (i % 3 === 0) await flush()
    }
    await drive(fleet.clock, Promise.all(revoking), 1)
    await fleet.clock.advance(QUIET_POLL_MS)
    const log = await logOf(fleet.feed)
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i + 1))
    expect(log.length - before.length).toBeLessThanOrEqual(60)
    for (const { token } of tokens)
      for (const node of [a, b]) expect(verdict(node.verify(token))).toBe('revoked')
    for (const node of [a, b]) expect(node.health()).toMatchObject({ revocations: 60, lag: 0 })
  })

  it('combine simultaneous revocations into few events', async () => {
    fleet = await newFleet()
    const a = await start(remoteFeed(fleet.feed))
    const tokens = await Promise.all(Array.from({ length: 100 }, () => issueOn(a)))
    await fleet.clock.advance(SECOND)
    const before = await logOf(fleet.feed)
    const revoking = tokens.map(({ token }) => a.revoke({ token }, ACTOR))
    const receipts = await drive(fleet.clock, Promise.all(revoking))
    const log = await logOf(fleet.feed)
    expect(log.length - before.length).toBeLessThan(10)
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i + 1))
    const late = await start(remoteFeed(fleet.feed))
    for (const { token } of tokens) expect(verdict(late.verify(token))).toBe('revoked')
    for (const { position } of receipts) expect(position.seq).toBeLessThanOrEqual(log.length)
  })
})

describe('a node without pushes', () => {
  it('applies a revocation at its next poll', async () => {
    fleet = await newFleet()
    const [a, deaf] = [await start(remoteFeed(fleet.feed)), await start(remoteFeed(fleet.feed))]
    await fleet.clock.advance(5 * SECOND)
    const token = await issueOn(a)
    const { position } = await a.revoke({ id: token.id }, ACTOR)
    expect(verdict(deaf.verify(token.token))).toBe('ok')
    await fleet.clock.advance(QUIET_POLL_MS)
    expect(verdict(deaf.verify(token.token))).toBe('revoked')
    expect(deaf.health()).toMatchObject({ status: 'live', lag: 0, position })
  })

  it('returns stale when it cannot poll within maxStaleness, and becomes live again', async () => {
    fleet = await newFleet({ maxStaleness: '5s' })
    let down = false
    const feed = remoteFeed(fleet.feed, {
      head: (options) => (down ? Promise.reject(new Error('down')) : fleet.feed.head(options)),
    })
    const node = await start(feed)
    const token = await issueOn(node)
    down = true
    await fleet.clock.advance(4 * SECOND)
    expect(verdict(node.verify(token.token))).toBe('ok')
    await fleet.clock.advance(SECOND + 1)
    expect(verdict(node.verify(token.token))).toBe('stale')
    expect(verdict(await node.authenticate(token.token))).toBe('stale')
    expect(verdict(await node.authenticate(token.token, { freshness: 'store' }))).toBe('ok')
    expect(node.health().status).toBe('stale')
    down = false
    await fleet.clock.advance(QUIET_POLL_MS)
    expect(verdict(node.verify(token.token))).toBe('ok')
    expect(node.health().status).toBe('live')
  })

  it('dates a proof from when the request was sent, not from when the reply came', async () => {
    fleet = await newFleet({ maxStaleness: '5s', timeout: '2s' })
    const feed = remoteFeed(fleet.feed, {
      head: async (options) => {
        const head = await fleet.feed.head(options)
        await new Promise<void>((resolve) => void fleet.clock.setTimer(resolve, 1000))
        return head
      },
    })
    const node = await start(feed)
    await fleet.clock.advance(20 * SECOND)
    for (let i = 0; i < 30; i++) {
      await fleet.clock.advance(100)
      expect(node.health().freshnessMs).toBeGreaterThanOrEqual(1000)
      expect(node.health().status).toBe('live')
    }
  })

  it('reads the feed when authenticate finds it stale', async () => {
    fleet = await newFleet()
    const node = await start(remoteFeed(fleet.feed))
    const [token, other] = [await issueOn(node), await issueOn(node)]
    const a = await fleet.start()
    await a.revoke({ token: other.token }, ACTOR)
    fleet.clock.step(6 * SECOND)
    expect(verdict(node.verify(token.token))).toBe('stale')
    expect(verdict(await node.authenticate(token.token))).toBe('ok')
    expect(verdict(node.verify(other.token))).toBe('revoked')
  })

  it('lets authenticate demand a position newer than its own', async () => {
    fleet = await newFleet()
    const [a, node] = [await start(remoteFeed(fleet.feed)), await start(remoteFeed(fleet.feed))]
    const token = await issueOn(a)
    await a.revoke({ token: token.token }, ACTOR)
    await fleet.clock.advance(1)
    expect(verdict(await node.authenticate(token.token, { maxStaleness: 0 }))).toBe('revoked')
  })
})

describe('pushes', () => {
  it('may be lost, repeated and reordered: the node ends at the head of the log', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat({ max: 9 }), { maxLength: 4 }), { maxLength: 12 }),
        async (batches) => {
          fleet = await newFleet()
          const a = await fleet.start()
          const { feed, push } = pushed(fleet.feed)
          const node = await start(feed)
          const tokens = await Promise.all(Array.from({ length: 10 }, () => issueOn(a)))
          for (const { id } of tokens) await a.revoke({ id }, ACTOR)
          // Without the messages that nodes send about themselves.
          const log = (await logOf(fleet.feed)).slice(-10)
          let known = 0
          for (const batch of batches) {
            const events = batch.map((i) => log[i] as SealedEvent)
            push({ events })
            // What is pushed holds at once, at any position, and nothing known is forgotten.
            for (const at of batch) expect(verdict(node.verify(tokens[at]?.token))).toBe('revoked')
            expect(node.health().position.seq).toBeGreaterThanOrEqual(known)
            known = node.health().position.seq
          }
          await fleet.clock.advance(1200)
          for (const { token } of tokens) expect(verdict(node.verify(token))).toBe('revoked')
          expect(node.health()).toMatchObject({
            status: 'live',
            lag: 0,
            rejectedEvents: 0,
            incidents: {},
            revocations: 10,
            position: a.health().position,
          })
          await drive(fleet.clock, fleet.close())
        },
      ),
      { numRuns: 60 },
    )
  })

  it('of an event that is ahead hold at once, and the gap before it is filled', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const { feed, push } = pushed(fleet.feed)
    const node = await start(feed)
    await fleet.clock.advance(SECOND)
    const before = (await logOf(fleet.feed)).length
    const [first, second] = [await issueOn(a), await issueOn(a)]
    await a.revoke({ token: first.token }, ACTOR)
    await a.revoke({ token: second.token }, ACTOR)
    const log = await logOf(fleet.feed)
    push({ events: log.slice(before + 1) })
    expect(verdict(node.verify(second.token))).toBe('revoked')
    expect(verdict(node.verify(first.token))).toBe('ok')
    await flush()
    expect(verdict(node.verify(first.token))).toBe('revoked')
    expect(node.health()).toMatchObject({ lag: 0, position: a.health().position, incidents: {} })
  })

  it('without events only make the node poll', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const { feed, push } = pushed(fleet.feed)
    const node = await start(feed)
    const token = await issueOn(a)
    await a.revoke({ id: token.id }, ACTOR)
    push()
    await flush()
    expect(verdict(node.verify(token.token))).toBe('revoked')
  })

  it('that arrive while the log is being read make the node poll once more', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const { feed, push } = pushed(fleet.feed)
    let asked = () => {}
    let reply = Promise.resolve()
    const slow = feedOver(feed, {
      head: async (options) => {
        const head = await fleet.feed.head(options)
        asked()
        await reply
        return head
      },
    })
    const node = await start(slow)
    await fleet.clock.advance(SECOND)
    const token = await issueOn(a)
    let release = () => {}
    reply = new Promise((resolve) => {
      release = resolve
    })
    const reached = new Promise<void>((resolve) => {
      asked = resolve
    })
    push()
    await reached
    await a.revoke({ token: token.token }, ACTOR)
    push()
    release()
    reply = Promise.resolve()
    await flush()
    expect(verdict(node.verify(token.token))).toBe('revoked')
  })

  it('that are lost are counted, made up for within a poll, and not relied on for a while', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const { feed } = pushed(fleet.feed)
    const node = await start(feed)
    await fleet.clock.advance(20 * SECOND)
    const revoke = async () => {
      const { token } = await issueOn(a)
      await a.revoke({ token }, ACTOR)
      return token
    }
    const first = await revoke()
    await fleet.clock.advance(feed.info.suggestedPollMs * 1.2)
    expect(verdict(node.verify(first))).toBe('revoked')
    const { misses } = node.health().pushes
    expect(misses).toBeGreaterThan(0)
    const second = await revoke()
    await fleet.clock.advance(QUIET_POLL_MS)
    expect(verdict(node.verify(second))).toBe('revoked')
    expect(node.health().pushes).toEqual({ ends: 0, misses: misses + 1 })
  })

  it('may end, and are requested again with a growing delay', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const watches: number[] = []
    const feed = remoteFeed(fleet.feed, {
      watch: async () => {
        watches.push(fleet.clock.monotonic())
        throw new Error('gone')
      },
    })
    const node = await start(feed)
    await fleet.clock.advance(60 * SECOND)
    expect(node.health().pushes.ends).toBe(watches.length)
    // Two seconds apart in the end, plus jitter.
    expect(watches.length).toBeGreaterThan(25)
    expect(watches.length).toBeLessThan(80)
    const token = await issueOn(a)
    await a.revoke({ token: token.token }, ACTOR)
    await fleet.clock.advance(QUIET_POLL_MS)
    expect(verdict(node.verify(token.token))).toBe('revoked')
  })
})

describe('a feed that is closed under a node', () => {
  it('makes the node stale, and its revocations uncertain', async () => {
    fleet = await newFleet({ timeout: '1s' })
    const feed = remoteFeed(fleet.feed)
    const node = await start(feed)
    const token = await issueOn(node)
    await fleet.clock.advance(SECOND)
    await feed.close()
    await fleet.clock.advance(6 * SECOND)
    expect(verdict(node.verify(token.token))).toBe('stale')
    const revoking = codeOf(node.revoke({ token: token.token }, ACTOR))
    expect(await drive(fleet.clock, revoking)).toBe('ERR_REVOCATION_UNCERTAIN')
    expect(verdict(node.verify(token.token))).toBe('revoked')
  })
})
