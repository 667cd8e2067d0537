/** What an attacker with write access to the log or the push channel can do: forge nothing, and hide nothing for long. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { RevocationFeed, SealedEvent, SealedHead } from 'watchword/feed'
import { generateKey, keyId } from 'watchword/paseto'
import { linkOf, sealHead } from '../../../../src/revocation/log/seal.js'
import { deriveKey } from '../../../../src/token/paserk.js'
import { headerOf, sealedEvent, sealKeys, sealKeysOf } from '../../../support/feed-writer.js'
import {
  ACTOR,
  auditOf,
  DAY,
  drive,
  errorOf,
  flush,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  SECOND,
  verdict,
} from '../../../support/fleet.js'
import {
  type LogFleet,
  MAX_STALENESS_MS,
  type Node,
  newLogFleet,
  TOLERANCE_MS,
} from '../../../support/log-fleet.js'

let fleet: LogFleet
afterEach(() => fleet.close())

const headOf = ({ log }: LogFleet): SealedHead => {
  if (log.head === null) throw new Error('no log')
  return log.head
}

const junk = (bytes = 300) => new Uint8Array(randomBytes(bytes))

/** Two nodes that know of each other, and one revocation that both have. */
async function twoNodes(): Promise<{ a: Node; b: Node; revoked: string; alive: string }> {
  const a = await fleet.startNode()
  const b = await fleet.startNode()
  await fleet.pass(SECOND)
  const revoked = await fleet.revokeOne(a)
  await fleet.pass(SECOND)
  return { a, b, revoked, alive: (await issueOn(a.watchword)).token }
}

const verdictOn = ({ watchword }: Node, token: string) => verdict(watchword.verify(token))

describe('a push', () => {
  it('of ten thousand unsealed messages changes nothing, and the next authentic one is applied', async () => {
    fleet = await newLogFleet()
    const { a, b, revoked, alive } = await twoNodes()
    const keys = await sealKeysOf(fleet)
    const stranger = generateKey()
    const strange = sealKeys(new Map([[keyId(stranger), deriveKey(stranger, 'any')]]))
    const log = fleet.log.events
    const { epoch, seq, link } = headOf(fleet)
    const entry = { kind: 'all', value: '', before: 9e12, expiresAt: 9e12 } as const
    const made: SealedEvent[] = [
      ...log,
      sealedEvent(strange, [entry], { epoch, seq: seq + 1, link }),
      { seq: seq + 1, bytes: sealHead(keys, headerOf({ epoch, seq: seq + 1, link })).bytes },
    ]
    const mutated = fc
      .record({
        event: fc.constantFrom(...made),
        at: fc.nat(200),
        xor: fc.integer({ min: 1, max: 255 }),
        cut: fc.option(fc.nat(200)),
        seq: fc.oneof(
          fc.integer({ min: -1, max: seq + 5 }),
          fc.constantFrom(seq + 1, 2 ** 48, Number.MAX_SAFE_INTEGER, 0.5, Number.NaN),
        ),
      })
      .map(({ event, at, xor, cut, seq: claimed }) => {
        const bytes = event.bytes.slice(0, cut ?? undefined)
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ xor
        return { seq: claimed, bytes }
      })
    const random = fc.record({ seq: fc.integer(), bytes: fc.uint8Array({ maxLength: 300 }) })
    const messages = fc.sample(fc.array(fc.oneof(mutated, random), { maxLength: 4 }), 10_000)
    const { position } = b.watchword.health()
    for (const [i, events] of messages.entries()) {
      fleet.log.push({ events })
      if (i % 1000 === 0) await fleet.pass(10)
    }
    await fleet.pass(SECOND)
    await fleet.untilLive([b])
    expect(b.watchword.health()).toMatchObject({
      status: 'live',
      position,
      revocations: 1,
      pushes: { ends: 0, misses: 0 },
      incidents: {},
    })
    expect(b.watchword.health().rejectedEvents).toBeGreaterThan(10_000)
    expect(verdictOn(b, alive)).toBe('ok')
    expect(verdictOn(b, revoked)).toBe('revoked')
    const next = await fleet.revokeOne(a)
    await flush()
    expect(verdictOn(b, next)).toBe('revoked')
  })

  it('with a false position does not hide the event at that position', async () => {
    fleet = await newLogFleet()
    const { a, b } = await twoNodes()
    const [first] = fleet.log.events as [SealedEvent]
    b.feed.rates = { ...b.feed.rates, pushDropped: 1 }
    const token = await fleet.revokeOne(a)
    b.feed.rates = { ...b.feed.rates, pushDropped: 0 }
    const { seq } = headOf(fleet)
    fleet.log.push({ events: [1, 2, 3].map((i) => ({ seq: seq - 1 + i, bytes: first.bytes })) })
    await fleet.pass(1)
    expect(verdictOn(b, token)).toBe('revoked')
    expect(b.watchword.health()).toMatchObject({ status: 'live', lag: 0 })
  })

  it('of an event that was sealed with the keys but never in the log is taken for a rollback', async () => {
    fleet = await newLogFleet()
    const { a, b } = await twoNodes()
    const keys = await sealKeysOf(fleet)
    const { id, token, expiresAt } = await issueOn(a.watchword)
    const { epoch } = headOf(fleet)
    const event = sealedEvent(keys, [{ kind: 'token', value: id, expiresAt }], {
      epoch,
      seq: 1_000_000,
      link: junk(16),
    })
    b.feed.partition()
    await fleet.pass(1)
    fleet.log.push({ events: [event] })
    b.feed.heal()
    await fleet.pass(2 * SECOND)
    await fleet.untilLive([a, b])
    for (const node of [a, b]) {
      expect(node.watchword.health()).toMatchObject({ status: 'live', lag: 0 })
      expect(verdictOn(node, token)).toBe('revoked')
    }
    expect(a.watchword.health().incidents).toMatchObject({ rollback: 1, restored: 1 })
  })

  it('of an event from an earlier epoch reinstates no token, and removes no entry', async () => {
    fleet = await newLogFleet()
    const { a, b, revoked, alive } = await twoNodes()
    const old = fleet.log.events
    const { epoch } = headOf(fleet)
    fleet.log.wipe()
    await fleet.pass(2 * SECOND)
    expect(headOf(fleet).epoch).not.toBe(epoch)
    const { position } = b.watchword.health()
    fleet.log.push({ events: old })
    fleet.log.push({ events: [...old].reverse() })
    await fleet.pass(2 * SECOND)
    await fleet.untilLive([a, b])
    for (const node of [a, b]) {
      expect(node.watchword.health()).toMatchObject({ status: 'live', position, rejectedEvents: 0 })
      expect(verdictOn(node, revoked)).toBe('revoked')
      expect(verdictOn(node, alive)).toBe('ok')
    }
  })
})

describe('a log', () => {
  it('with junk among its events is read without it, and the junk is counted and reported to the auditor', async () => {
    fleet = await newLogFleet()
    const { a, revoked } = await twoNodes()
    for (const { seq, bytes } of fleet.log.events) {
      fleet.log.plant({ seq, bytes: junk() })
      fleet.log.plant({ seq, bytes: junk(10) })
      fleet.log.plant({ seq, bytes: bytes.slice(0, -1) })
    }
    const planted = fleet.log.events.length
    let late: Node | undefined
    const told = await auditOf(async () => {
      late = await fleet.startNode()
    })
    if (late === undefined) throw new Error('not started')
    expect(verdictOn(late, revoked)).toBe('revoked')
    const { incidents, rejectedEvents } = late.watchword.health()
    expect(rejectedEvents).toBe((planted / 4) * 3)
    expect(incidents).toEqual({ refused: rejectedEvents })
    expect(told.filter(({ action }) => action === 'feed.refused')).toHaveLength(1)
    const token = await fleet.revokeOne(late)
    await fleet.pass(SECOND)
    expect(verdictOn(a, token)).toBe('revoked')
  })

  it('with junk behind the head is overwritten by the next revocation', async () => {
    fleet = await newLogFleet()
    const { a, b } = await twoNodes()
    const { seq } = headOf(fleet)
    for (let i = 1; i <= 5; i++) fleet.log.plant({ seq: seq + i, bytes: junk() })
    const token = await fleet.revokeOne(b)
    await fleet.pass(SECOND)
    expect(verdictOn(a, token)).toBe('revoked')
    for (const node of [a, b]) expect(node.watchword.health()).toMatchObject({ incidents: {} })
    expect(fleet.log.events).toHaveLength(headOf(fleet).seq)
  })

  it.each([
    ['no entries at all', new Uint8Array(0)],
    ['an entry of an unknown future kind', Uint8Array.of(0, 1, 0x7f, 1, 2, 3)],
    ['bytes after its end', Uint8Array.of(0, 0, 1)],
  ])(
    'with an authentic event that has %s makes nodes reject every token, since its content is unknown',
    async (_, payload) => {
      fleet = await newLogFleet()
      const { a, alive } = await twoNodes()
      const keys = await sealKeysOf(fleet)
      const head = headOf(fleet)
      await append(keys, sealedEvent(keys, payload, placeAfter(head)))
      await fleet.pass(3 * SECOND)
      expect(verdictOn(a, alive)).toBe('stale')
      const { status, incidents } = a.watchword.health()
      expect({ status, incidents }).toMatchObject({
        status: 'stale',
        incidents: { unreadable: expect.any(Number) },
      })
    },
  )

  it('with an entry of an unknown kind makes nodes stale, and tells to upgrade them', async () => {
    fleet = await newLogFleet()
    const { a } = await twoNodes()
    const keys = await sealKeysOf(fleet)
    const payload = Uint8Array.of(0, 1, 0x7f, 0, 0)
    await append(keys, sealedEvent(keys, payload, placeAfter(headOf(fleet))))
    await fleet.pass(3 * SECOND)
    const { status, feedFailure } = a.watchword.health()
    expect(status).toBe('stale')
    expect(feedFailure?.message).toContain('upgrade watchword on this node')
  })

  it('with a watermark in the future has the same effect on every node, also on one that starts later', async () => {
    fleet = await newLogFleet()
    const { a, b, alive } = await twoNodes()
    const keys = await sealKeysOf(fleet)
    const now = fleet.clock.now()
    const entry = { kind: 'all', value: '', before: now + DAY, expiresAt: now + 2 * DAY } as const
    await append(keys, sealedEvent(keys, [entry], { ...placeAfter(headOf(fleet)), at: now }))
    await fleet.pass(MINUTE)
    const late = await fleet.startNode()
    for (const node of [a, b, late]) expect(verdictOn(node, alive)).toBe('revoked')
  })

  it('accepts an event that is sealed with a future time', async () => {
    fleet = await newLogFleet()
    const { a, b } = await twoNodes()
    const keys = await sealKeysOf(fleet)
    const { id, token, expiresAt } = await issueOn(a.watchword)
    const at = fleet.clock.now() + HOUR
    const entry = { kind: 'token', value: id, expiresAt } as const
    await append(keys, sealedEvent(keys, [entry], { ...placeAfter(headOf(fleet)), at }))
    await fleet.pass(SECOND)
    for (const node of [a, b]) expect(verdictOn(node, token)).toBe('revoked')
  })

  const placeAfter = ({ epoch, seq, link }: SealedHead) => ({ epoch, seq: seq + 1, link })

  /** Appends one event with a valid head, as a node with these keys would. */
  async function append(keys: Parameters<typeof sealHead>[0], event: SealedEvent): Promise<void> {
    const { epoch, floor } = headOf(fleet)
    const at = fleet.clock.now()
    const link = linkOf(event.bytes)
    const next = sealHead(keys, headerOf({ epoch, seq: event.seq, link, at, first: floor }))
    const options = { signal: new AbortController().signal, deadlineMs: SECOND }
    expect(await fleet.log.feed().append(headOf(fleet), [event], next, options)).toEqual({
      ok: true,
    })
  }
})

describe('a head', () => {
  type Forge = (head: SealedHead) => SealedHead

  it.each<[string, Forge]>([
    ['with junk for a seal', (head) => ({ ...head, bytes: junk(head.bytes.length) })],
    ['without a seal', (head) => ({ ...head, bytes: new Uint8Array(0) })],
    ['with the seal of another position', (head) => ({ ...head, seq: head.seq - 1 })],
    ['beyond every event', (head) => ({ ...head, seq: head.seq + 100 })],
    ['with another link', (head) => ({ ...head, link: junk(16) })],
  ])('%s is corrected by nodes that have the events', async (_, forge) => {
    fleet = await newLogFleet()
    const { a, b, revoked, alive } = await twoNodes()
    const { epoch, seq } = headOf(fleet)
    const told = await auditOf(async () => {
      fleet.log.head = forge(headOf(fleet))
      await fleet.pass(3 * SECOND)
    })
    expect(told.map(({ action }) => action)).toContain('feed.tampered')
    expect(headOf(fleet)).toMatchObject({ epoch })
    expect(headOf(fleet).seq).toBeGreaterThanOrEqual(seq)
    await fleet.untilLive([a, b])
    for (const node of [a, b]) {
      expect(verdictOn(node, revoked)).toBe('revoked')
      expect(verdictOn(node, alive)).toBe('ok')
      expect(node.watchword.health()).toMatchObject({ status: 'live', lag: 0 })
    }
    const token = await fleet.revokeOne(b)
    await fleet.pass(SECOND)
    expect(verdictOn(a, token)).toBe('revoked')
  })

  it.each([
    ['makes a node recreate the log when a store has the revocations', true],
    ['keeps a node from starting when none has them', false],
  ])('without a valid seal %s, after all nodes ended', async (_, durable) => {
    fleet = await newLogFleet({ durable })
    const { a, b, revoked, alive } = await twoNodes()
    await fleet.kill(a)
    await fleet.kill(b)
    fleet.log.head = { ...headOf(fleet), bytes: junk(171) }
    if (durable) {
      const late = await fleet.startNode()
      expect(verdictOn(late, revoked)).toBe('revoked')
      expect(verdictOn(late, alive)).toBe('ok')
    } else {
      const error = await errorOf(fleet.startNode())
      expect(error).toMatchObject({ code: 'ERR_FEED_UNAVAILABLE' })
    }
  })

  it('of another fleet is left alone, and the start rejects with the reason', async () => {
    fleet = await newLogFleet()
    const { a, revoked } = await twoNodes()
    const other = await newFleet({ feed: fleet.log.feed() })
    try {
      const error = await errorOf(drive(other.clock, other.start()))
      expect(error.code).toBe('ERR_FEED_UNAVAILABLE')
      expect(`${error.message} ${String(error.cause)}`).toMatch(/share one store/)
    } finally {
      await drive(other.clock, other.close())
    }
    await fleet.pass(SECOND)
    expect(a.watchword.health()).toMatchObject({ status: 'live', incidents: {} })
    expect(verdictOn(a, revoked)).toBe('revoked')
  })

  it('that was valid once and is replayed indefinitely proves freshness for one lease only', async () => {
    fleet = await newLogFleet()
    const { a, b, alive } = await twoNodes()
    await b.feed.freeze()
    await drive(fleet.clock, a.watchword.revoke({ token: alive }, ACTOR), 1)
    const acknowledged = fleet.clock.monotonic()
    let lastOk = acknowledged
    for (let i = 0; i < 100; i++) {
      await fleet.pass(25)
      if (verdictOn(b, alive) === 'ok') lastOk = fleet.clock.monotonic()
    }
    expect(lastOk - acknowledged).toBeLessThanOrEqual(MAX_STALENESS_MS + TOLERANCE_MS)
    expect(b.watchword.health()).toMatchObject({
      status: 'stale',
      incidents: { frozen: expect.any(Number), reconciled: 1 },
    })
    // What the replayed head hides comes from the store.
    expect(verdictOn(b, alive)).toBe('revoked')
    expect(a.watchword.health().incidents).toEqual({})
    b.feed.thaw()
    await fleet.pass(SECOND)
    expect(verdictOn(b, alive)).toBe('revoked')
    await fleet.untilLive([b])
    expect(b.watchword.health().status).toBe('live')
  })
})

describe('a feed that contradicts itself', () => {
  type Read = RevocationFeed['read']
  const lies: readonly [string, (real: Read) => Read][] = [
    ['shows no events', () => async () => ({ events: [], floor: 1 })],
    [
      'shows other events',
      (real) => async (after, limit, options) =>
        real({ ...after, seq: Math.max(0, after.seq - 3) }, Math.min(limit, 2), options),
    ],
    [
      'shows junk in their place',
      (real) =>
        async (...args) => {
          const { events, floor } = await real(...args)
          return { events: events.map(({ seq }) => ({ seq, bytes: junk() })), floor }
        },
    ],
    [
      'leaves out the first event',
      (real) =>
        async (...args) => {
          const { events, floor } = await real(...args)
          return { events: events.slice(1), floor }
        },
    ],
  ]

  it.each(lies)(
    'and %s is abandoned soon: the node is stale until the events are shown',
    async (_, lie) => {
      fleet = await newLogFleet({ durable: false })
      const a = await fleet.startNode()
      // Without a store, a is live by the seals of a third node.
      await fleet.startNode()
      const real = fleet.log.feed()
      let isLying = false
      let calls = 0
      const count = () => {
        calls++
      }
      const b = await fleet.startNode(
        {},
        {
          read: (...args) => {
            count()
            return (isLying ? lie(real.read) : real.read)(...args)
          },
          head: (options) => {
            count()
            return real.head(options)
          },
        },
      )
      await fleet.pass(SECOND)
      const { token } = await issueOn(a.watchword)
      b.feed.rates = { ...b.feed.rates, pushDropped: 1 }
      isLying = true
      await fleet.revokeOne(a)
      await fleet.revokeOne(a)
      calls = 0
      await fleet.pass(5 * SECOND)
      expect(calls).toBeLessThan(1000)
      expect(verdictOn(b, token)).toBe('stale')
      await fleet.untilLive([a])
      expect(verdictOn(a, token)).toBe('ok')
      isLying = false
      await fleet.pass(2 * SECOND)
      await fleet.untilLive([b])
      expect(verdictOn(b, token)).toBe('ok')
      expect(b.watchword.health()).toMatchObject({ status: 'live', lag: 0, revocations: 2 })
    },
  )
})
