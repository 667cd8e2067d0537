/** Receipts that list the nodes that have applied a revocation, and requirements that a node has reached a receipt's position. */
import { afterEach, describe, expect, it } from 'vitest'
import { memoryFeed, type RevokeOptions, type Watchword } from 'watchword'
import {
  ACTOR,
  codeOf,
  drive,
  type Fleet,
  feedOver,
  issueOn,
  newFleet,
  SECOND,
  verdict,
} from '../../../support/fleet.js'
import {
  type LogFleet,
  MAX_STALENESS_MS,
  type Node,
  newLogFleet,
} from '../../../support/log-fleet.js'

const EVERYBODY: RevokeOptions = { ...ACTOR, waitFor: 'all' }

let fleet: LogFleet

/** Starts nodes with these names, and waits until each has announced itself. */
async function start(...names: string[]): Promise<Node[]> {
  const nodes: Node[] = []
  for (const node of names) nodes.push(await fleet.startNode({ node }))
  await fleet.pass(SECOND)
  return nodes
}

/** Revokes a new token. Resolves with its receipt and the time that took. */
async function revokeEverywhere({ watchword }: Node, options: Partial<RevokeOptions> = {}) {
  const { token } = await issueOn(watchword)
  const began = fleet.clock.monotonic()
  const revoking = watchword.revoke({ token }, { ...EVERYBODY, ...options })
  const receipt = await drive(fleet.clock, revoking, 10)
  return { token, ...receipt, took: fleet.clock.monotonic() - began }
}

const verdictOn = ({ watchword }: Node, token: string) => verdict(watchword.verify(token))

describe('a receipt of all nodes', () => {
  afterEach(() => fleet.close())

  it('names the nodes that have applied the revocation, and resolves as soon as they have', async () => {
    fleet = await newLogFleet()
    const [a, b, c] = (await start('a', 'b', 'c')) as [Node, Node, Node]
    for (const node of [a, b, c]) {
      const { token, nodes, took } = await revokeEverywhere(node)
      expect(nodes).toEqual({ applied: ['a', 'b', 'c'], pending: [] })
      expect(took).toBeLessThan(MAX_STALENESS_MS)
      for (const each of [a, b, c]) expect(verdictOn(each, token)).toBe('revoked')
    }
  })

  it('resolves at once for the only node', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a')) as [Node]
    const { nodes, took } = await revokeEverywhere(a)
    expect(nodes).toEqual({ applied: ['a'], pending: [] })
    expect(took).toBe(0)
  })

  it('exists only when it was requested', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a', 'b')) as [Node, Node]
    const { token } = await issueOn(a.watchword)
    const receipt = await drive(fleet.clock, a.watchword.revoke({ token }, ACTOR))
    expect(receipt).not.toHaveProperty('nodes')
  })

  it('waits at most its timeout for a node that is cut off, which rejects the token by then', async () => {
    fleet = await newLogFleet()
    const [a, b, c] = (await start('a', 'b', 'c')) as [Node, Node, Node]
    c.feed.partition()
    const { token, nodes, took } = await revokeEverywhere(a)
    expect(nodes).toEqual({ applied: ['a', 'b'], pending: ['c'] })
    expect(took).toBeGreaterThanOrEqual(MAX_STALENESS_MS + SECOND)
    expect(took).toBeLessThan(MAX_STALENESS_MS + SECOND + 100)
    expect(verdictOn(b, token)).toBe('revoked')
    expect(verdictOn(c, token)).toBe('stale')
  })

  it('leaves out a node that sent no message for longer than maxStaleness, until it is back', async () => {
    fleet = await newLogFleet()
    const [a, , c] = (await start('a', 'b', 'c')) as [Node, Node, Node]
    c.feed.partition()
    expect((await revokeEverywhere(a)).nodes?.pending).toEqual(['c'])
    const without = await revokeEverywhere(a)
    expect(without.nodes).toEqual({ applied: ['a', 'b'], pending: [] })
    expect(without.took).toBeLessThan(MAX_STALENESS_MS)
    c.feed.heal()
    await fleet.pass(SECOND)
    expect(verdictOn(c, without.token)).toBe('revoked')
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a', 'b', 'c'], pending: [] })
    expect((await revokeEverywhere(c)).nodes).toEqual({ applied: ['a', 'b', 'c'], pending: [] })
  })

  it('with a short timeout drops no node that may still accept', async () => {
    fleet = await newLogFleet()
    const [a, , c] = (await start('a', 'b', 'c')) as [Node, Node, Node]
    c.feed.partition()
    for (let i = 0; i < 3; i++) {
      const { nodes, took } = await revokeEverywhere(a, { timeout: '100ms' })
      expect(nodes).toEqual({ applied: ['a', 'b'], pending: ['c'] })
      expect(took).toBeLessThanOrEqual(200)
    }
  })

  it('omits nodes that have left, and names every node that has joined', async () => {
    fleet = await newLogFleet()
    const [a, b] = (await start('a', 'b')) as [Node, Node]
    await drive(fleet.clock, b.watchword.close())
    await fleet.pass(SECOND)
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a'], pending: [] })
    await start('d', 'c')
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a', 'c', 'd'], pending: [] })
  })

  it('names a killed node as pending once, and then no longer', async () => {
    fleet = await newLogFleet()
    const [a, b] = (await start('a', 'b')) as [Node, Node]
    await fleet.kill(b)
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a'], pending: ['b'] })
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a'], pending: [] })
  })

  it('knows the nodes in another epoch as well', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a', 'b', 'c')) as [Node]
    fleet.log.wipe()
    await fleet.pass(3 * SECOND)
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a', 'b', 'c'], pending: [] })
  })

  it('keeps simultaneous calls apart', async () => {
    fleet = await newLogFleet()
    const [a, b] = (await start('a', 'b', 'c')) as [Node, Node]
    const tokens = await Promise.all(Array.from({ length: 20 }, () => issueOn(a.watchword)))
    const revoking = tokens.map(({ token }, i) =>
      (i % 2 === 0 ? a : b).watchword.revoke({ token }, EVERYBODY),
    )
    const receipts = await drive(fleet.clock, Promise.all(revoking), 10)
    for (const { nodes } of receipts)
      expect(nodes).toEqual({ applied: ['a', 'b', 'c'], pending: [] })
  })

  it('counts two processes with the same name as two', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a', 'b')) as [Node]
    const second = await fleet.startNode({ node: 'b' })
    await fleet.pass(SECOND)
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a', 'b', 'b'], pending: [] })
    second.feed.partition()
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a', 'b'], pending: ['b'] })
  })

  it('names a node that has just started', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a')) as [Node]
    await fleet.startNode({ node: 'b' })
    expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a', 'b'], pending: [] })
  })

  it.each([0, 1, 30, 100, 200])(
    'waits for no node that was closed %s ms after it started',
    async (ms) => {
      fleet = await newLogFleet()
      const [a] = (await start('a')) as [Node]
      for (let i = 0; i < 5; i++) {
        const { watchword } = await fleet.startNode({
          node: `job-${i}`,
          onStart: i % 2 ? 'wait' : 'reject',
        })
        await fleet.pass(ms)
        await drive(fleet.clock, watchword.close(), 10)
      }
      expect((await revokeEverywhere(a)).nodes).toEqual({ applied: ['a'], pending: [] })
    },
  )

  it('of a new node does not wait for a node whose entry has ended', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a')) as [Node]
    await fleet.kill(a)
    await fleet.pass(130 * SECOND)
    const admin = await fleet.startNode({ node: 'admin' })
    const { nodes, took } = await revokeEverywhere(admin)
    expect(nodes).toEqual({ applied: ['admin'], pending: [] })
    expect(took).toBeLessThan(MAX_STALENESS_MS)
  })

  it('is not returned when the feed cannot be reached: the revocation is uncertain', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a', 'b')) as [Node]
    a.feed.partition()
    const { token } = await issueOn(a.watchword)
    const revoking = codeOf(a.watchword.revoke({ token }, EVERYBODY))
    expect(await drive(fleet.clock, revoking)).toBe('ERR_REVOCATION_UNCERTAIN')
    a.feed.heal()
    await fleet.pass(2 * SECOND)
    expect(a.watchword.health().pendingRevocations).toBe(0)
  })
})

describe('authorities in one process', () => {
  let plain: Fleet
  afterEach(() => drive(plain.clock, plain.close()))

  it('all appear in a receipt when they share a feed', async () => {
    plain = await newFleet()
    const [a] = [await plain.start({ node: 'a' }), await plain.start({ node: 'b' })]
    const gone = await plain.start({ node: 'c' })
    const { token } = await issueOn(a)
    expect((await a.revoke({ token }, EVERYBODY)).nodes).toEqual({
      applied: ['a', 'b', 'c'],
      pending: [],
    })
    await gone.close()
    expect((await a.revoke({ token }, EVERYBODY)).nodes?.applied).toEqual(['a', 'b'])
  })

  it('do not appear in a receipt of another feed', async () => {
    plain = await newFleet()
    const a = await plain.start({ node: 'a' })
    await plain.start({ node: 'other', feed: memoryFeed() })
    const { token } = await issueOn(a)
    expect((await a.revoke({ token }, EVERYBODY)).nodes?.applied).toEqual(['a'])
  })
})

describe('a requirement of a position', () => {
  afterEach(() => fleet.close())

  /** Two nodes, the second of which learns of a revocation only on demand. */
  async function lagging() {
    fleet = await newLogFleet()
    const [a, b] = (await start('a', 'b')) as [Node, Node]
    b.feed.rates = { ...b.feed.rates, pushDropped: 1 }
    const { token } = await issueOn(a.watchword)
    const { token: alive } = await issueOn(a.watchword)
    const { position } = await drive(fleet.clock, a.watchword.revoke({ token }, ACTOR), 1)
    return { a, b, token, alive, position }
  }

  it('is met only by a node that has applied the revocation', async () => {
    const { a, b, token, alive, position } = await lagging()
    expect(verdict(a.watchword.verify(alive, { minPosition: position }))).toBe('ok')
    expect(verdictOn(b, token)).toBe('ok')
    for (const each of [token, alive])
      expect(verdict(b.watchword.verify(each, { minPosition: position }))).toBe('stale')
    await fleet.pass(SECOND)
    expect(verdict(b.watchword.verify(token, { minPosition: position }))).toBe('revoked')
    expect(verdict(b.watchword.verify(alive, { minPosition: position }))).toBe('ok')
  })

  it('makes authenticate read the feed first', async () => {
    const { b, token, alive, position } = await lagging()
    const needs = b.watchword.require({ minPosition: position })
    expect(verdict(await b.watchword.authenticate(token, needs))).toBe('revoked')
    expect(verdict(await b.watchword.authenticate(alive, needs))).toBe('ok')
  })

  it('is not met while the feed is unreachable, under any staleness policy', async () => {
    fleet = await newLogFleet({ onStale: 'accept' })
    const [a] = (await start('a')) as [Node]
    const { token } = await issueOn(a.watchword)
    const { epoch, seq } = a.watchword.health().position
    for (const minPosition of [
      { epoch, seq: seq + 1 },
      { epoch: 'A'.repeat(22), seq: 1 },
    ]) {
      expect(verdict(a.watchword.verify(token, { minPosition }))).toBe('stale')
      expect(verdict(await a.watchword.authenticate(token, { minPosition }))).toBe('stale')
    }
  })

  it('is met in a later epoch by nodes that had applied the revocation in the one before', async () => {
    const { a, b, token, alive, position } = await lagging()
    await fleet.pass(SECOND)
    fleet.log.wipe()
    await fleet.pass(3 * SECOND)
    for (const node of [a, b]) {
      expect(node.watchword.health().position.epoch).not.toBe(position.epoch)
      expect(verdict(node.watchword.verify(token, { minPosition: position }))).toBe('revoked')
      expect(verdict(node.watchword.verify(alive, { minPosition: position }))).toBe('ok')
    }
    const [late] = (await start('late')) as [Node]
    expect(verdict(late.watchword.verify(alive, { minPosition: position }))).toBe('stale')
  })

  it('is not met by reading an event that is ahead', async () => {
    fleet = await newLogFleet()
    const [a] = (await start('a')) as [Node]
    const real = fleet.log.feed()
    let isHidden = false
    const b = await fleet.startNode(
      { node: 'b' },
      feedOver(real, {
        head: (options) => (isHidden ? Promise.reject(new Error('down')) : real.head(options)),
      }),
    )
    await fleet.pass(SECOND)
    isHidden = true
    b.feed.rates = { ...b.feed.rates, pushDropped: 1 }
    await fleet.revokeOne(a)
    b.feed.rates = { ...b.feed.rates, pushDropped: 0 }
    const { token } = await issueOn(a.watchword)
    const { position } = await drive(fleet.clock, a.watchword.revoke({ token }, ACTOR), 1)
    await fleet.pass(1)
    // Its entries hold already, but the events before it are missing.
    expect(verdictOn(b, token)).toBe('revoked')
    expect(reachedBy(b.watchword, position)).toBe(false)
    isHidden = false
    await fleet.pass(SECOND)
    expect(reachedBy(b.watchword, position)).toBe(true)
  })

  const reachedBy = (watchword: Watchword, { seq }: { readonly seq: number }) =>
    watchword.health().position.seq >= seq
})
