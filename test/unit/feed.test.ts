import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type FeedEvent,
  type FeedHead,
  type IssuedToken,
  memoryFeed,
  type Position,
  type RevocationFeed,
  type Watchword,
} from 'watchword'
import { encodeEvent, linkOf } from '../../src/revocation/event.js'
import {
  ACTOR,
  codeOf,
  type Fleet,
  flush,
  issueOn,
  logOf,
  newFleet,
  remoteFeed,
  SECOND,
  verdict,
} from '../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet.close())

const CALL = { signal: new AbortController().signal, deadlineMs: SECOND }

/** Appends raw bytes to a feed, as a writer of another version, or an intruder, would. */
async function appendRaw(feed: RevocationFeed, ...events: Uint8Array[]): Promise<void> {
  const head = (await feed.head(CALL)) as FeedHead
  let { seq, link } = head
  const added = events.map((bytes) => {
    seq++
    link = linkOf(link, bytes)
    return { seq, bytes }
  })
  const { epoch } = head
  expect(await feed.append(head, added, { epoch, seq, link }, CALL)).toEqual({ ok: true })
}

const text = (json: unknown) =>
  new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json))

/** A feed over a list of events, which may hold less than it once did. */
function listFeed(
  { info }: RevocationFeed,
  events: FeedEvent[],
  start: FeedHead | null,
): { feed: RevocationFeed; events: readonly FeedEvent[]; calls(): number } {
  let head = start
  let calls = 0
  const same = (expect: Position | null) =>
    expect === null ? head === null : head?.seq === expect.seq && head.link === expect.link
  return {
    events,
    calls: () => calls,
    feed: {
      info,
      open: async () => {},
      head: async () => {
        calls++
        return head
      },
      read: async ({ seq }, limit) => {
        calls++
        return { events: events.slice(seq, seq + limit), floor: 1 }
      },
      append: async (expected, added, next) => {
        if (!same(expected)) return { ok: false, head }
        events.push(...added)
        head = { ...next, floor: 1 }
        return { ok: true }
      },
      close: async () => {},
    },
  }
}

type Wake = (events?: readonly FeedEvent[]) => void

/** A feed whose push channel is in the test's hands. */
function pushed(feed: RevocationFeed): { feed: RevocationFeed; push: Wake } {
  const wakes = new Set<Wake>()
  return {
    feed: remoteFeed(feed, {
      watch: (wake, signal) => {
        wakes.add(wake)
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
      },
    }),
    push: (events) => {
      for (const wake of wakes) wake(events)
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
    for (const node of [a, b]) {
      expect(node.health()).toMatchObject({ status: 'live', lag: 0, rejectedEvents: 0 })
      expect(node.health().position).toEqual({ epoch: position.epoch, seq: position.seq })
    }
  })

  it('include one that starts later, and reads the log from its start', async () => {
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
    const a = await fleet.start({ feed: remoteFeed(fleet.feed) })
    const b = await fleet.start({ feed: remoteFeed(fleet.feed) })
    const tokens = await Promise.all(Array.from({ length: 60 }, () => issueOn(a)))
    await Promise.all(tokens.map(({ id }, i) => (i % 2 ? a : b).revoke({ id }, ACTOR)))
    const log = await logOf(fleet.feed)
    expect(log.map(({ seq }) => seq)).toEqual(tokens.map((_, i) => i + 1))
    const all = log.map(({ bytes }) => new TextDecoder().decode(bytes)).join('')
    for (const { id } of tokens) expect(all.split(id)).toHaveLength(2)
    await fleet.clock.advance(1200)
    for (const { token } of tokens)
      for (const node of [a, b]) expect(verdict(node.verify(token))).toBe('revoked')
  })
})

describe('a node without pushes', () => {
  it('learns of a revocation at its next poll', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const deaf = await fleet.start({ feed: remoteFeed(fleet.feed) })
    const token = await issueOn(a)
    await a.revoke({ id: token.id }, ACTOR)
    expect(verdict(deaf.verify(token.token))).toBe('ok')
    await fleet.clock.advance(fleet.feed.info.suggestedPollMs * 1.2)
    expect(verdict(deaf.verify(token.token))).toBe('revoked')
    expect(deaf.health()).toMatchObject({ status: 'live', lag: 0 })
  })

  it('answers stale when it cannot poll for longer than it may', async () => {
    fleet = await newFleet({ maxStaleness: '5s' })
    let down = false
    const feed = remoteFeed(fleet.feed, {
      head: (options) => (down ? Promise.reject(new Error('down')) : fleet.feed.head(options)),
    })
    const node = await fleet.start({ feed })
    const token = await issueOn(node)
    down = true
    await fleet.clock.advance(3 * SECOND)
    expect(verdict(node.verify(token.token))).toBe('ok')
    await fleet.clock.advance(3 * SECOND)
    expect(verdict(node.verify(token.token))).toBe('stale')
    expect(verdict(await node.authenticate(token.token))).toBe('stale')
    expect(verdict(await node.authenticate(token.token, { freshness: 'store' }))).toBe('ok')
    expect(node.health().status).toBe('stale')
    down = false
    await fleet.clock.advance(1200)
    expect(verdict(node.verify(token.token))).toBe('ok')
    expect(node.health().status).toBe('live')
  })

  it('asks the feed itself when authenticate finds it stale', async () => {
    fleet = await newFleet()
    const node = await fleet.start({ feed: remoteFeed(fleet.feed) })
    const token = await issueOn(node)
    fleet.clock.step(6 * SECOND)
    expect(verdict(node.verify(token.token))).toBe('stale')
    expect(verdict(await node.authenticate(token.token))).toBe('ok')
  })
})

describe('pushes', () => {
  it('may be lost, repeated and reordered: the end is that of the log', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat({ max: 9 }), { maxLength: 4 }), { maxLength: 12 }),
        async (batches) => {
          fleet = await newFleet()
          const a = await fleet.start()
          const { feed, push } = pushed(fleet.feed)
          const node = await fleet.start({ feed })
          const tokens = await Promise.all(Array.from({ length: 10 }, () => issueOn(a)))
          for (const { id } of tokens) await a.revoke({ id }, ACTOR)
          const log = await logOf(fleet.feed)
          let known = 0
          for (const batch of batches) {
            push(batch.map((i) => log[i] as FeedEvent))
            // Whatever is pushed, nothing that was known is forgotten.
            expect(node.health().position.seq).toBeGreaterThanOrEqual(known)
            known = node.health().position.seq
          }
          await fleet.clock.advance(1200)
          for (const { token } of tokens) expect(verdict(node.verify(token))).toBe('revoked')
          expect(node.health()).toMatchObject({
            status: 'live',
            lag: 0,
            rejectedEvents: 0,
            revocations: 10,
            position: { seq: 10 },
          })
          await fleet.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('without events only make the node look', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const { feed, push } = pushed(fleet.feed)
    const node = await fleet.start({ feed })
    const token = await issueOn(a)
    await a.revoke({ id: token.id }, ACTOR)
    push(undefined)
    await flush()
    expect(verdict(node.verify(token.token))).toBe('revoked')
  })

  it.each(['garbage', 'a revocation'] as const)(
    'of %s that the log does not have cannot hide what the log has',
    async (kind) => {
      fleet = await newFleet()
      const a = await fleet.start()
      const { feed, push } = pushed(fleet.feed)
      const node = await fleet.start({ feed })
      const [token, other] = [await issueOn(a), await issueOn(a)]
      await a.revoke({ id: token.id }, ACTOR)
      const forged =
        kind === 'garbage'
          ? text('garbage')
          : encodeEvent([{ kind: 'token', value: other.id, expiresAt: other.expiresAt }])
      push([1, 2, 3].map((seq) => ({ seq, bytes: forged })))
      for (let i = 0; i < 4; i++) await fleet.clock.advance(1200)
      expect(verdict(node.verify(token.token))).toBe('revoked')
      expect(node.health()).toMatchObject({ status: 'live', lag: 0, position: { seq: 1 } })
      const third = await issueOn(a)
      await node.revoke({ id: third.id }, ACTOR)
      expect(verdict(a.verify(third.token))).toBe('revoked')
    },
  )
})

describe('events that do not parse', () => {
  it.each([
    ['empty', text('')],
    ['no JSON', text('{')],
    ['no UTF-8', Uint8Array.of(0xff, 0xfe, 0x7b)],
    ['of another version', text({ v: 2, entries: [] })],
    ['without entries', text({ v: 1, entries: [] })],
    ['of an unknown kind', text({ v: 1, entries: [{ kind: 'restore', value: 'x' }] })],
    [
      'with a time that is none',
      text({ v: 1, entries: [{ kind: 'token', value: 'x', expiresAt: -1 }] }),
    ],
    ['with a field too many', text({ v: 1, entries: [], undo: true })],
    ['huge', text(`{"v":1,"entries":[${'{},'.repeat(100_000)}{}]}`)],
  ])('(%s) are counted and passed over', async (_name, bytes) => {
    fleet = await newFleet()
    const [a, b] = [await fleet.start(), await fleet.start({ feed: remoteFeed(fleet.feed) })]
    const [token, second] = [await issueOn(a), await issueOn(a)]
    await a.revoke({ id: token.id }, ACTOR)
    await appendRaw(fleet.feed, bytes)
    await a.revoke({ id: second.id }, ACTOR)
    await fleet.clock.advance(1200)
    for (const node of [a, b]) {
      expect(node.health()).toMatchObject({ rejectedEvents: 1, lag: 0, status: 'live' })
      expect(verdict(node.verify(token.token))).toBe('revoked')
      expect(verdict(node.verify(second.token))).toBe('revoked')
    }
    const late = await fleet.start()
    expect(late.health()).toMatchObject({ rejectedEvents: 1, lag: 0 })
    expect(verdict(late.verify(second.token))).toBe('revoked')
  })

  it('or that say what they like never bring a token back', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const token = await issueOn(a)
    await a.revoke({ id: token.id }, ACTOR)
    await a.revoke({ subject: token.subject }, ACTOR)
    const far = fleet.clock.now() + 10_000_000
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.json().map(text),
          fc.constantFrom(
            encodeEvent([{ kind: 'token', value: token.id, expiresAt: 0 }]),
            encodeEvent([{ kind: 'token', value: token.id, expiresAt: far, from: far }]),
            encodeEvent([{ kind: 'subject', value: token.subject, before: 0, expiresAt: 0 }]),
          ),
        ),
        async (bytes) => {
          const before = a.health().position.seq
          await appendRaw(fleet.feed, bytes)
          expect(a.health().position.seq).toBe(before + 1)
          expect(verdict(a.verify(token.token))).toBe('revoked')
        },
      ),
      { numRuns: 200 },
    )
    await fleet.clock.advance(70 * SECOND)
    expect(verdict(a.verify(token.token))).toBe('revoked')
  })
})

describe('another life of the log', () => {
  /** A feed that can be exchanged for another one under the nodes that follow it. */
  function exchangeable(first: RevocationFeed): {
    feed: RevocationFeed
    use(next: RevocationFeed): void
  } {
    let current = first
    return {
      feed: {
        info: first.info,
        open: (options) => current.open(options),
        head: (options) => current.head(options),
        read: (...args) => current.read(...args),
        append: (...args) => current.append(...args),
        close: () => current.close(),
      },
      use: (next) => {
        current = next
      },
    }
  }

  it('keeps what was revoked in the one before, and adds its own', async () => {
    fleet = await newFleet()
    const { feed, use } = exchangeable(fleet.feed)
    const [a, b] = [await fleet.start({ feed }), await fleet.start({ feed })]
    const [first, second, third] = [await issueOn(a), await issueOn(a), await issueOn(a)]
    await a.revoke({ id: first.id }, ACTOR)
    await fleet.clock.advance(1200)
    use(memoryFeed())
    await a.revoke({ id: second.id }, ACTOR)
    await fleet.clock.advance(1200)
    for (const node of [a, b]) {
      expect(verdict(node.verify(first.token))).toBe('revoked')
      expect(verdict(node.verify(second.token))).toBe('revoked')
      expect(verdict(node.verify(third.token))).toBe('ok')
      expect(node.health()).toMatchObject({ status: 'live', lag: 0, position: { seq: 1 } })
    }
    expect(a.health().position.epoch).toBe(b.health().position.epoch)
  })

  it('that is empty is a life too', async () => {
    fleet = await newFleet()
    const { feed, use } = exchangeable(fleet.feed)
    const a = await fleet.start({ feed })
    const [first, second] = [await issueOn(a), await issueOn(a)]
    await a.revoke({ id: first.id }, ACTOR)
    use(memoryFeed())
    await fleet.clock.advance(1200)
    expect(verdict(a.verify(first.token))).toBe('revoked')
    expect(verdict(a.verify(second.token))).toBe('ok')
    expect(a.health()).toMatchObject({ status: 'live', position: { seq: 0 } })
  })

  it('begins with the first revocation when there was no log at all', async () => {
    fleet = await newFleet()
    const { feed, events } = listFeed(fleet.feed, [], null)
    const [a, b] = [await fleet.start({ feed }), await fleet.start({ feed })]
    const tokens = await Promise.all([issueOn(a), issueOn(a), issueOn(b)])
    expect(verdict(b.verify(tokens[0].token))).toBe('ok')
    await Promise.all(tokens.map(({ id }, i) => (i % 2 ? a : b).revoke({ id }, ACTOR)))
    await fleet.clock.advance(1200)
    for (const { token } of tokens)
      for (const node of [a, b]) expect(verdict(node.verify(token))).toBe('revoked')
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3])
  })

  it('of the same name but shorter brings nothing back, and takes what is revoked next', async () => {
    fleet = await newFleet()
    const { feed, use } = exchangeable(fleet.feed)
    const [a, b] = [await fleet.start({ feed }), await fleet.start({ feed })]
    const tokens = await Promise.all(Array.from({ length: 5 }, () => issueOn(a)))
    const [first, second, third, fourth, alive] = tokens as [
      IssuedToken,
      IssuedToken,
      IssuedToken,
      IssuedToken,
      IssuedToken,
    ]
    await a.revoke({ id: first.id }, ACTOR)
    const kept = [...(await logOf(fleet.feed))]
    const head = (await fleet.feed.head(CALL)) as FeedHead
    await a.revoke({ id: second.id }, ACTOR)
    const restored = listFeed(fleet.feed, kept, head)
    use(restored.feed)
    await fleet.clock.advance(1200)
    for (const { token } of [first, second]) expect(verdict(a.verify(token))).toBe('revoked')
    expect(verdict(a.verify(alive.token))).toBe('ok')
    expect(restored.calls()).toBeLessThan(50)
    await a.revoke({ id: third.id }, ACTOR)
    await b.revoke({ id: fourth.id }, ACTOR)
    await fleet.clock.advance(1200)
    expect(kept.map(({ seq }) => seq)).toEqual([1, 2, 3])
    for (const { token } of [first, third, fourth])
      for (const node of [a, b]) expect(verdict(node.verify(token))).toBe('revoked')
    expect(verdict(a.verify(second.token))).toBe('revoked')
    for (const node of [a, b]) expect(verdict(node.verify(alive.token))).toBe('ok')
  })

  it('that has vanished is begun anew', async () => {
    fleet = await newFleet()
    const { feed, use } = exchangeable(fleet.feed)
    const a = await fleet.start({ feed })
    const [first, second] = [await issueOn(a), await issueOn(a)]
    await a.revoke({ id: first.id }, ACTOR)
    use(listFeed(fleet.feed, [], null).feed)
    await fleet.clock.advance(1200)
    await a.revoke({ id: second.id }, ACTOR)
    for (const { token } of [first, second]) expect(verdict(a.verify(token))).toBe('revoked')
    expect(a.health().position.seq).toBe(1)
  })
})

describe('a feed that contradicts itself', () => {
  it.each(['a head that no event leads to', 'no events at all', 'the wrong events'])(
    'is given up soon, and the node is stale: %s',
    async (fault) => {
      fleet = await newFleet()
      let calls = 0
      let lying = false
      const feed = remoteFeed(fleet.feed, {
        head: async (options) => {
          calls++
          const head = (await fleet.feed.head(options)) as FeedHead
          return lying
            ? { ...head, seq: head.seq + (fault === 'the wrong events' ? 0 : 3), link: 'x' }
            : head
        },
        read: async (...args) => {
          calls++
          return lying && fault === 'no events at all'
            ? { events: [], floor: 1 }
            : fleet.feed.read(...args)
        },
      })
      const a = await fleet.start()
      const node = await fleet.start({ feed })
      const token = await issueOn(a)
      await a.revoke({ subject: 'somebody' }, ACTOR)
      lying = true
      expect(await codeOf(node.keys.refresh())).toBe('resolved')
      await fleet.clock.advance(6 * SECOND)
      expect(calls).toBeLessThan(200)
      expect(verdict(node.verify(token.token))).toBe('stale')
      lying = false
      await fleet.clock.advance(1200)
      expect(verdict(node.verify(token.token))).toBe('ok')
    },
  )
})
