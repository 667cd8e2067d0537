/** How revocations survive a log that loses them: nodes that have them republish them, and nodes that start find them. */
import { afterEach, describe, expect, it } from 'vitest'
import type { SealedHead } from 'watchword/feed'
import {
  ACTOR,
  codeOf,
  drive,
  HOUR,
  issueOn,
  MINUTE,
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

const verdictsOn = ({ watchword }: Node, tokens: readonly string[]) =>
  tokens.map((token) => verdict(watchword.verify(token)))

const revokedAll = (tokens: readonly string[]) => tokens.map(() => 'revoked')

async function revokeMany(node: Node, count: number): Promise<string[]> {
  const tokens: string[] = []
  for (let i = 0; i < count; i++) tokens.push(await fleet.revokeOne(node))
  return tokens
}

/** Lets time pass. Returns every verdict other than `revoked` and `stale` on these tokens meanwhile. */
async function passWatching(ms: number, nodes: readonly Node[], tokens: readonly string[]) {
  const wrong: string[] = []
  for (let passed = 0; passed < ms; passed += 25) {
    await fleet.pass(25)
    for (const node of nodes)
      wrong.push(...verdictsOn(node, tokens).filter((each) => !/revoked|stale/.test(each)))
  }
  return wrong
}

describe('a feed without a log', () => {
  it('gets one from the first node, and the next node finds it', async () => {
    fleet = await newLogFleet()
    const a = await fleet.startNode()
    const { epoch } = headOf(fleet)
    const b = await fleet.startNode()
    for (const { watchword } of [a, b]) {
      expect(watchword.health()).toMatchObject({ status: 'live', incidents: {} })
      expect(watchword.health().position.epoch).toBe(epoch)
    }
  })

  it('ends up with one log for all of several nodes that start at once', async () => {
    fleet = await newLogFleet()
    const starting = Promise.all(Array.from({ length: 5 }, () => fleet.startNode()))
    const nodes = await drive(fleet.clock, starting, 1)
    const tokens = await Promise.all(nodes.map(({ watchword }) => issueOn(watchword)))
    const revoking = nodes.map(({ watchword }, i) =>
      watchword.revoke({ token: tokens[i]?.token ?? '' }, ACTOR),
    )
    await drive(fleet.clock, Promise.all(revoking), 1)
    await fleet.pass(SECOND)
    const all = tokens.map(({ token }) => token)
    for (const node of nodes) {
      expect(verdictsOn(node, all)).toEqual(revokedAll(all))
      expect(node.watchword.health().position.epoch).toBe(headOf(fleet).epoch)
    }
  })
})

type Harm = (log: LogFleet['log'], before: number) => void

const harms: readonly [string, Harm, RegExp][] = [
  ['is gone', (log) => log.wipe(), /missing/],
  ['was rolled back a little', (log) => log.rollback(2), /rollback|fork/],
  ['was rolled back to its beginning', (log) => log.rollback((log.head?.seq ?? 0) - 1), /rollback/],
  ['was trimmed externally', (log) => log.truncate((log.head?.seq ?? 1) - 1), /^$/],
  [
    'has a hole',
    (log, seq) => {
      log.events = log.events.filter((event) => event.seq !== seq)
    },
    /^$/,
  ],
  ['has an event with a flipped bit', (log, seq) => log.flip(seq, 8 * 120), /^$/],
  [
    'has two events swapped',
    (log, seq) => {
      log.events = log.events.map((event) => {
        if (event.seq !== seq && event.seq !== seq + 1) return event
        const other = log.events.find((each) => each.seq === 2 * seq + 1 - event.seq)
        return { seq: event.seq, bytes: other?.bytes ?? event.bytes }
      })
    },
    /^$/,
  ],
]

describe.each([
  ['with a store that outlives the nodes', true],
  ['without one', false],
])('%s', (_, durable) => {
  it.each(harms)(
    'a log that %s reinstates no token on any node, and accepts the next revocation',
    async (_name, harm, incident) => {
      fleet = await newLogFleet({ durable })
      const [a, b] = [await fleet.startNode(), await fleet.startNode()]
      await fleet.pass(SECOND)
      const { seq } = headOf(fleet)
      const tokens = await revokeMany(a, 4)
      const alive = (await issueOn(a.watchword)).token
      await fleet.pass(SECOND)
      harm(fleet.log, seq + 2)
      expect(await passWatching(4 * MAX_STALENESS_MS, [a, b], tokens)).toEqual([])
      const incidents = [a, b].flatMap(({ watchword }) => Object.keys(watchword.health().incidents))
      expect(incidents.join(' ')).toMatch(incident)
      tokens.push(await fleet.revokeOne(b))
      await fleet.pass(SECOND)
      await fleet.untilLive([a, b])
      for (const node of [a, b]) {
        expect(verdictsOn(node, tokens)).toEqual(revokedAll(tokens))
        expect(verdictsOn(node, [alive])).toEqual(['ok'])
        expect(node.watchword.health()).toMatchObject({ status: 'live', revocations: 5, lag: 0 })
      }
    },
  )

  it('a log that was rolled back and refilled to the same position is detected by its links', async () => {
    fleet = await newLogFleet({ durable })
    const [a, b] = [await fleet.startNode(), await fleet.startNode()]
    await fleet.pass(SECOND)
    const restore = fleet.log.backup()
    const tokens = await revokeMany(a, 3)
    await fleet.pass(SECOND)
    const { seq } = headOf(fleet)
    for (const node of [a, b]) node.feed.partition()
    restore()
    const stranger = await fleet.startNode()
    while (headOf(fleet).seq < seq) tokens.push(await fleet.revokeOne(stranger))
    for (const node of [a, b]) node.feed.heal()
    await fleet.pass(4 * MAX_STALENESS_MS)
    expect(a.watchword.health().incidents).toMatchObject({ fork: 1 })
    const nodes = [a, b, stranger, await fleet.startNode()]
    await fleet.untilLive(nodes)
    for (const node of nodes) {
      expect(verdictsOn(node, tokens)).toEqual(revokedAll(tokens))
      expect(node.watchword.health()).toMatchObject({ status: 'live', revocations: tokens.length })
    }
  })

  it('a new epoch keeps what was revoked in the one before, and adds its own', async () => {
    fleet = await newLogFleet({ durable })
    const [a, b] = [await fleet.startNode(), await fleet.startNode()]
    await fleet.pass(SECOND)
    const before = await revokeMany(a, 3)
    await fleet.pass(SECOND)
    const { epoch } = headOf(fleet)
    for (const node of [a, b]) node.feed.partition()
    fleet.log.wipe()
    const founder = await fleet.startNode()
    const after = await revokeMany(founder, 3)
    expect(headOf(fleet).epoch).not.toBe(epoch)
    for (const node of [a, b]) node.feed.heal()
    const tokens = [...before, ...after]
    const wrong = await passWatching(4 * MAX_STALENESS_MS, [a, b], before)
    expect(wrong).toEqual([])
    expect(a.watchword.health().incidents).toMatchObject({ epoch: 1 })
    const nodes = [a, b, founder, await fleet.startNode()]
    await fleet.untilLive(nodes)
    for (const node of nodes) {
      expect(verdictsOn(node, tokens)).toEqual(revokedAll(tokens))
      expect(node.watchword.health()).toMatchObject({ status: 'live', revocations: 6 })
      expect(node.watchword.health().position.epoch).toBe(headOf(fleet).epoch)
    }
  })

  it('a log that is lost repeatedly is restored each time', async () => {
    fleet = await newLogFleet({ durable })
    const [a, b] = [await fleet.startNode(), await fleet.startNode()]
    await fleet.pass(SECOND)
    const tokens: string[] = []
    for (let i = 0; i < 20; i++) {
      tokens.push(await fleet.revokeOne(i % 2 === 0 ? a : b))
      await fleet.pass(300)
      if (i % 3 === 0) fleet.log.wipe()
      else if (i % 3 === 1) fleet.log.rollback(1)
      expect(await passWatching(600, [a, b], tokens.slice(0, -1))).toEqual([])
    }
    await fleet.pass(4 * MAX_STALENESS_MS)
    const nodes = [a, b, await fleet.startNode()]
    await fleet.untilLive(nodes)
    for (const node of nodes) {
      expect(verdictsOn(node, tokens)).toEqual(revokedAll(tokens))
      expect(node.watchword.health()).toMatchObject({ status: 'live', revocations: 20 })
    }
  })
})

describe('a node that starts later', () => {
  it.each(harms)('finds a log that %s recovered', async (_name, harm) => {
    fleet = await newLogFleet()
    const [a, b] = [await fleet.startNode(), await fleet.startNode()]
    await fleet.pass(SECOND)
    const { seq } = headOf(fleet)
    const tokens = await revokeMany(a, 4)
    const alive = (await issueOn(a.watchword)).token
    await fleet.pass(SECOND)
    harm(fleet.log, seq + 2)
    await fleet.pass(2 * SECOND)
    const late = await fleet.startNode({ onStart: 'reject' })
    expect(await passWatching(4 * MAX_STALENESS_MS, [a, b, late], tokens)).toEqual([])
    await fleet.untilLive([a, b, late])
    for (const node of [a, b, late]) {
      expect(node.watchword.health()).toMatchObject({ status: 'live', lag: 0 })
      expect(verdictsOn(node, tokens)).toEqual(revokedAll(tokens))
      expect(verdictsOn(node, [alive])).toEqual(['ok'])
      expect(node.watchword.health().revocations).toBe(4)
    }
  })

  it.each(harms.slice(3))(
    'rejects every token while a log %s and no store has the lost entries',
    async (_name, harm) => {
      fleet = await newLogFleet({ durable: false })
      const a = await fleet.startNode()
      await fleet.pass(SECOND)
      const { seq } = headOf(fleet)
      const tokens = await revokeMany(a, 4)
      await fleet.pass(SECOND)
      harm(fleet.log, seq + 2)
      expect(await codeOf(fleet.startNode())).toBe('ERR_FEED_UNAVAILABLE')
      const late = await fleet.startNode({ onStart: 'reject' })
      tokens.push((await issueOn(a.watchword)).token)
      expect(await passWatching(4 * MAX_STALENESS_MS, [late], tokens)).toEqual([])
      await fleet.untilLive([a])
      expect(a.watchword.health()).toMatchObject({ status: 'live' })
    },
  )
})

describe('a log whose head was not refreshed for a while', () => {
  it('is backfilled from the store by the node that finds it', async () => {
    fleet = await newLogFleet()
    const a = await fleet.startNode()
    await fleet.pass(SECOND)
    const restore = fleet.log.backup()
    const tokens = await revokeMany(a, 3)
    await fleet.kill(a)
    restore()
    await fleet.pass(MAX_STALENESS_MS + TOLERANCE_MS + 1)
    const late = await fleet.startNode()
    expect(verdictsOn(late, tokens)).toEqual(revokedAll(tokens))
    await fleet.pass(SECOND)
    expect(late.watchword.health().incidents).toEqual({ restored: 3 })
    await fleet.kill(late)
    // From then on it is in the log.
    const later = await fleet.startNode()
    expect(verdictsOn(later, tokens)).toEqual(revokedAll(tokens))
    await fleet.pass(SECOND)
    expect(later.watchword.health().incidents).toEqual({})
  })

  it('keeps a node from starting while the store does not reply', async () => {
    fleet = await newLogFleet()
    const a = await fleet.startNode()
    const [token] = await revokeMany(a, 1)
    await fleet.kill(a)
    await fleet.pass(HOUR / 60)
    const store = {
      ...fleet.store,
      close: async () => {},
      supports: { durable: true },
      listRevocations: () => Promise.reject(new Error('down')),
    }
    expect(await codeOf(fleet.startNode({ store }))).toBe('ERR_STORE_UNAVAILABLE')
    const late = await fleet.startNode({ store, onStart: 'reject' })
    await fleet.pass(2 * SECOND)
    expect(verdictsOn(late, [token ?? ''])).toEqual(['stale'])
  })
})

describe('an append without a reply', () => {
  it('that did not take effect leaves the revocation uncertain and in the outbox until the log replies', async () => {
    fleet = await newLogFleet()
    const [a, b] = [await fleet.startNode(), await fleet.startNode()]
    await fleet.pass(SECOND)
    a.feed.partition()
    const issued = [await issueOn(b.watchword), await issueOn(b.watchword)]
    const tokens = issued.map(({ token }) => token)
    for (const token of tokens) {
      const revoking = codeOf(a.watchword.revoke({ token }, ACTOR))
      expect(await drive(fleet.clock, revoking)).toBe('ERR_REVOCATION_UNCERTAIN')
    }
    expect(verdictsOn(a, tokens)).toEqual(revokedAll(tokens))
    expect(verdictsOn(b, tokens)).toEqual(['ok', 'ok'])
    expect(a.watchword.health().pendingRevocations).toBe(2)
    a.feed.heal()
    await fleet.pass(2 * SECOND)
    expect(a.watchword.health().pendingRevocations).toBe(0)
    expect(verdictsOn(b, tokens)).toEqual(revokedAll(tokens))
    expect(verdictsOn(await fleet.startNode(), tokens)).toEqual(revokedAll(tokens))
  })

  it('that took effect is found in the log, once', async () => {
    fleet = await newLogFleet()
    const real = fleet.log.feed()
    let isLost = false
    const a = await fleet.startNode(
      {},
      {
        append: async (...args) => {
          const result = await real.append(...args)
          if (isLost) throw new Error('connection reset')
          return result
        },
      },
    )
    const b = await fleet.startNode()
    await fleet.pass(SECOND)
    isLost = true
    const before = headOf(fleet).seq
    const tokens = await revokeMany(a, 5)
    expect(headOf(fleet).seq).toBe(before + 5)
    await fleet.pass(SECOND)
    expect(verdictsOn(b, tokens)).toEqual(revokedAll(tokens))
    expect(a.watchword.health()).toMatchObject({ pendingRevocations: 0, incidents: {} })
  })

  it('that takes effect much later does not harm what was appended meanwhile', async () => {
    fleet = await newLogFleet({ timeout: '200ms' })
    const real = fleet.log.feed()
    const late: (() => void)[] = []
    let isSlow = false
    const a = await fleet.startNode(
      {},
      {
        append: (...args) => {
          if (!isSlow) return real.append(...args)
          return new Promise((resolve, reject) => {
            late.push(() => void real.append(...args).then(resolve, reject))
          })
        },
      },
    )
    const b = await fleet.startNode()
    await fleet.pass(SECOND)
    isSlow = true
    const { token } = await issueOn(a.watchword)
    const revoking = codeOf(a.watchword.revoke({ token }, ACTOR))
    expect(await drive(fleet.clock, revoking)).toBe('ERR_REVOCATION_UNCERTAIN')
    isSlow = false
    const [other] = await revokeMany(b, 1)
    for (const arrive of late) arrive()
    await fleet.pass(2 * SECOND)
    await fleet.untilLive([a, b])
    for (const node of [a, b]) {
      expect(verdictsOn(node, [token, other ?? ''])).toEqual(['revoked', 'revoked'])
      expect(node.watchword.health()).toMatchObject({ status: 'live', incidents: {} })
    }
  })

  it('is confirmed even when the log is unreachable for long', async () => {
    fleet = await newLogFleet()
    const [a, b] = [await fleet.startNode(), await fleet.startNode()]
    await fleet.pass(SECOND)
    a.feed.partition()
    const { token } = await issueOn(b.watchword)
    const revoking = codeOf(a.watchword.revoke({ token }, ACTOR))
    expect(await drive(fleet.clock, revoking)).toBe('ERR_REVOCATION_UNCERTAIN')
    await revokeMany(b, 3)
    fleet.log.wipe()
    await fleet.pass(MINUTE)
    a.feed.heal()
    await fleet.pass(3 * SECOND)
    expect(a.watchword.health().pendingRevocations).toBe(0)
    expect(verdictsOn(b, [token])).toEqual(['revoked'])
  })
})
