/** What a node accepts from a log: only authentic events, and only along the chain. */
import { beforeAll, describe, expect, it } from 'vitest'
import { generateKey, keyId, ready } from 'watchword/paseto'
import { manualClock } from 'watchword/testkit'
import type { SealedEvent } from '../../../../src/feed/feed.js'
import { Replica } from '../../../../src/revocation/follower/replica.js'
import type { RevocationEntry } from '../../../../src/revocation/index/entries.js'
import { REVOKED, RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import { linkOf, type SealKeys, ZERO_LINK } from '../../../../src/revocation/log/seal.js'
import { sealedEvent, sealKeys } from '../../../support/feed-writer.js'
import { HOUR, MINUTE } from '../../../support/fleet.js'

const EPOCH = 'A'.repeat(22)
const OTHER_EPOCH = `${'B'.repeat(21)}A`
const MAX_SKEW_MS = MINUTE

let ours: SealKeys
let theirs: SealKeys

beforeAll(async () => {
  await ready
  ours = newKeys()
  theirs = newKeys()
})

function newKeys(): SealKeys {
  const key = generateKey()
  return sealKeys(new Map([[keyId(key), key]]))
}

const clock = manualClock()

function newReplica({ max = 100_000, keys = ours } = {}) {
  const index = new RevocationIndex({ max })
  const heard: string[] = []
  const replica = new Replica({
    keys,
    index,
    time: { certain: () => clock.now() },
    maxSkewMs: MAX_SKEW_MS,
    onNode: ({ kind }) => void heard.push(kind),
  })
  replica.enter(EPOCH)
  return { replica, index, heard }
}

const idOf = (number: number) => `01KDVDM4${String(number).padStart(18, '0')}`

const entryOf = (number: number): RevocationEntry => ({
  kind: 'token',
  value: idOf(number),
  expiresAt: clock.now() + HOUR,
})

const holds = (index: RevocationIndex, number: number) => {
  const { value: id, expiresAt } = entryOf(number) as RevocationEntry & { kind: 'token' }
  const facts = {
    id,
    family: id,
    generation: 0,
    subject: 's',
    audience: 'a',
    keyId: 'k',
    issuedAt: 1,
    expiresAt,
  }
  return index.deadline(facts) === REVOKED
}

/** Events of one chain, each of which revokes one token. */
function chainOf(length: number, { link = ZERO_LINK, from = 1, keys = ours } = {}): SealedEvent[] {
  const events: SealedEvent[] = []
  let last: Uint8Array = link
  for (let seq = from; seq < from + length; seq++) {
    const event = sealedEvent(keys, [entryOf(seq)], { epoch: EPOCH, seq, link: last })
    last = linkOf(event.bytes)
    events.push(event)
  }
  return events
}

describe('a replica', () => {
  it('advances along the chain, and reports its position', () => {
    const { replica, index } = newReplica()
    const events = chainOf(3)
    expect(events.map((event) => replica.take(event))).toEqual(['applied', 'applied', 'applied'])
    expect(events.map((event) => replica.take(event))).toEqual(['known', 'known', 'known'])
    expect(replica.position.seq).toBe(3)
    expect([1, 2, 3, 4].map((number) => holds(index, number))).toEqual([true, true, true, false])
  })

  it('applies an event that is ahead at once, without advancing', () => {
    const { replica, index } = newReplica()
    const [, second] = chainOf(2) as [SealedEvent, SealedEvent]
    expect(replica.take(second)).toBe('ahead')
    expect(holds(index, 2)).toBe(true)
    expect(replica.position.seq).toBe(0)
    expect(replica.seen).toBe(2)
  })

  it.each<[string, () => SealedEvent, string, boolean]>([
    [
      'of another epoch',
      () => sealedEvent(ours, [entryOf(9)], { epoch: OTHER_EPOCH, seq: 2 }),
      'foreign',
      true,
    ],
    [
      'that follows another event',
      () =>
        sealedEvent(ours, [entryOf(9)], { epoch: EPOCH, seq: 2, link: new Uint8Array(16).fill(1) }),
      'fork',
      true,
    ],
    [
      'in the place of one that it has',
      () => sealedEvent(ours, [entryOf(9)], { epoch: EPOCH, seq: 1 }),
      'fork',
      true,
    ],
    [
      'of others',
      () => sealedEvent(theirs, [entryOf(9)], { epoch: EPOCH, seq: 2 }),
      'refused',
      false,
    ],
    [
      'with a false position',
      () => ({ ...sealedEvent(ours, [entryOf(9)], { epoch: EPOCH, seq: 3 }), seq: 2 }),
      'refused',
      false,
    ],
    [
      'of an unknown future format',
      () => sealedEvent(ours, Uint8Array.of(0, 1, 99), { epoch: EPOCH, seq: 2 }),
      'unreadable',
      false,
    ],
    ['of random bytes', () => ({ seq: 2, bytes: new Uint8Array(500) }), 'refused', false],
    ['without bytes', () => ({ seq: 2, bytes: new Uint8Array(0) }), 'refused', false],
  ])('does not advance for an event %s', (_, make, taken, counts) => {
    const { replica, index } = newReplica()
    for (const event of chainOf(1)) replica.take(event)
    const before = replica.position
    expect(replica.take(make())).toBe(taken)
    expect(replica.position).toBe(before)
    expect(holds(index, 9)).toBe(counts)
    expect(replica.refused).toBe(taken === 'refused' ? 1 : 0)
  })

  it('stays before an event for which there is no room', () => {
    const { replica } = newReplica({ max: 1 })
    const [first, second] = chainOf(2) as [SealedEvent, SealedEvent]
    expect([replica.take(first), replica.take(second)]).toEqual(['applied', 'full'])
    expect(replica.position.seq).toBe(1)
  })

  it('applies messages of nodes only at their position in the log', () => {
    const { replica, heard } = newReplica()
    const join = { kind: 'join', value: 'b', until: 1 } as const
    replica.take(sealedEvent(ours, [join], { epoch: OTHER_EPOCH, seq: 1 }))
    replica.take(sealedEvent(ours, [join], { epoch: EPOCH, seq: 2 }))
    expect(heard).toEqual([])
    replica.take(sealedEvent(ours, [join], { epoch: EPOCH, seq: 1 }))
    expect(heard).toEqual(['join'])
  })

  it('accepts the first event after a trim without a link, and no later one', () => {
    const { replica } = newReplica()
    const events = chainOf(3, { from: 8, link: new Uint8Array(16).fill(5) })
    replica.enter(EPOCH, 7)
    expect(events.map((event) => replica.take(event))).toEqual(['applied', 'applied', 'applied'])
    const stray = sealedEvent(ours, [entryOf(9)], {
      epoch: EPOCH,
      seq: 11,
      link: new Uint8Array(16).fill(6),
    })
    expect(replica.take(stray)).toBe('fork')
  })

  it('detects that the log has another event than the one it was shown before', () => {
    const { replica } = newReplica()
    const [first] = chainOf(1) as [SealedEvent]
    const shown = sealedEvent(ours, [entryOf(7)], {
      epoch: EPOCH,
      seq: 2,
      link: linkOf(first.bytes),
    })
    const stands = sealedEvent(ours, [entryOf(8)], {
      epoch: EPOCH,
      seq: 2,
      link: linkOf(first.bytes),
    })
    replica.take(shown)
    expect([replica.take(first), replica.take(stands)]).toEqual(['applied', 'applied'])
    expect(replica.contradicted).toBe(true)
    replica.enter(EPOCH)
    expect(replica.contradicted).toBe(false)
  })

  it('remembers the last 4096 links, and up to 16 epochs', () => {
    const { replica } = newReplica()
    const events = chainOf(4200)
    for (const event of events) replica.take(event)
    const agrees = ({ seq, bytes }: SealedEvent) =>
      replica.agrees({ epoch: EPOCH, seq, link: linkOf(bytes) })
    expect(events.filter(agrees).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 4096 }, (_, i) => 105 + i),
    )
    expect(replica.agrees({ epoch: EPOCH, seq: 4200, link: ZERO_LINK })).toBe(false)
    const epochs = Array.from({ length: 20 }, (_, i) => `epoch ${i}`)
    for (const epoch of epochs) replica.enter(epoch)
    expect(epochs.filter((epoch) => replica.reached(epoch, 0))).toEqual(epochs.slice(3))
    expect(replica.reached(EPOCH, 1)).toBe(false)
  })
})

describe('an event whose key is gone', () => {
  const gone = (changes: { first?: number; link?: Uint8Array } = {}) =>
    sealedEvent(theirs, [entryOf(1)], {
      epoch: EPOCH,
      seq: 1,
      first: clock.now() - 2 * MAX_SKEW_MS,
      ...changes,
    })

  it('is skipped when all that it revokes has expired and the log vouches for it', () => {
    const { replica } = newReplica()
    const event = gone()
    expect(replica.take(event, 1)).toBe('applied')
    expect(replica.position).toEqual({ epoch: EPOCH, seq: 1, link: linkOf(event.bytes) })
    expect(
      replica.take(
        sealedEvent(ours, [entryOf(2)], { epoch: EPOCH, seq: 2, link: linkOf(event.bytes) }),
      ),
    ).toBe('applied')
  })

  it('is not skipped while a clock that is behind might still accept what it revokes', () => {
    const { replica } = newReplica()
    expect(replica.take(gone({ first: clock.now() - MAX_SKEW_MS }), 1)).toBe('unreadable')
  })

  it('is not skipped when no authentic head covers it', () => {
    const { replica } = newReplica()
    expect(replica.take(gone(), 0)).toBe('refused')
  })

  it('is not skipped when it follows another event', () => {
    const { replica } = newReplica()
    expect(replica.take(gone({ link: new Uint8Array(16).fill(3) }), 1)).toBe('unreadable')
  })

  it('is not skipped as the first event after a trim', () => {
    const { replica } = newReplica()
    replica.enter(EPOCH, 7)
    const event = { ...gone(), seq: 8 }
    expect(replica.take(event, 8)).toBe('unreadable')
    expect(replica.position.seq).toBe(7)
  })
})
