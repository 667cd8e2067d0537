/**
 * Restrictions under faults: a lost feed, a lost log, a store that fails, and rows that were edited, deleted or set back.
 *
 * @module
 */
import { afterEach, describe, expect, it } from 'vitest'
import { memoryFeed, type Watchword } from 'watchword'
import type { RestrictionRecord, Store } from 'watchword/store'
import {
  ACTOR,
  around,
  auditOf,
  codeOf,
  DAY,
  drive,
  errorOf,
  type Fleet,
  feedOver,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  rarelyPolled,
  SECOND,
  verdict,
} from '../../support/fleet.js'
import { cuttableFeed } from '../../support/harness.js'
import { newLogFleet } from '../../support/log-fleet.js'

let fleet: Fleet
afterEach(() => fleet.close())

const SUBJECT = { kind: 'subject', value: 'svc_billing' } as const
const TARGET = { subject: 'svc_billing' } as const

/** A fleet of one node, and a suspended token. */
async function suspended(options: Parameters<typeof newFleet>[0] = {}) {
  fleet = await newFleet({ feed: rarelyPolled(), maxStaleness: '1h', ...options })
  const node = await fleet.start()
  const { token } = await issueOn(node)
  await node.suspend(TARGET, ACTOR)
  return { node, token, part: partOf(fleet.store) }
}

function partOf({ restrictions }: Store) {
  if (restrictions === undefined) throw new Error('no part')
  return restrictions
}

const rowOf = async ({ store }: Fleet): Promise<RestrictionRecord> => {
  const row = await partOf(store).read(SUBJECT)
  if (row === undefined) throw new Error('no row')
  return row
}

const tampering = async (run: () => Promise<unknown>) =>
  (await auditOf(run)).filter(({ action }) => action === 'store.tampered').map(({ id }) => id)

/** Lets the first sweep run, which compares the store with the log. */
const sweep = () => fleet.clock.advance(MINUTE)

describe('a restriction', () => {
  it('is in effect on this node if the feed is lost, and published when it is back', async () => {
    const feed = cuttableFeed()
    fleet = await newFleet({ feed, maxStaleness: '1h' })
    const node = await drive(fleet.clock, fleet.start())
    const { token } = await issueOn(node)
    feed.cut = true
    expect(await drive(fleet.clock, codeOf(node.suspend(TARGET, ACTOR)))).toBe(
      'ERR_REVOCATION_UNCERTAIN',
    )
    expect(verdict(node.verify(token))).toBe('suspended')
    expect(node.health().pendingRevocations).toBe(1)
    feed.cut = false
    await fleet.clock.advance(10 * SECOND)
    expect(node.health().pendingRevocations).toBe(0)
    const other = await drive(fleet.clock, fleet.start())
    expect(verdict(other.verify(token))).toBe('suspended')
  })

  it('is not in effect if the store refuses it', async () => {
    fleet = await newFleet()
    const store = around(fleet.store, (method, call) =>
      method === 'restrictions.write' ? Promise.reject(new Error('disk full')) : call(),
    )
    const node = await fleet.start({ store })
    const { token } = await issueOn(node)
    expect(await codeOf(node.suspend(TARGET, ACTOR))).toBe('ERR_STORE_UNAVAILABLE')
    expect(verdict(node.verify(token))).toBe('ok')
  })

  it('is written once if the response of the store is lost, and the call is repeated', async () => {
    fleet = await newFleet()
    let isLost = true
    const store = around(fleet.store, async (method, call) => {
      const result = await call()
      if (method !== 'restrictions.write' || !isLost) return result
      isLost = false
      throw new Error('connection reset')
    })
    const node = await fleet.start({ store, audit: false })
    const { token } = await issueOn(node)
    expect(await codeOf(node.suspend(TARGET, ACTOR))).toBe('ERR_STORE_UNAVAILABLE')
    expect(await node.suspend(TARGET, ACTOR)).toMatchObject({ revision: 2 })
    expect(verdict(node.verify(token))).toBe('suspended')
  })

  it('that was written although the response was lost takes effect with the next comparison', async () => {
    fleet = await newFleet({ feed: rarelyPolled(), maxStaleness: '1h' })
    const store = around(fleet.store, async (method, call) => {
      const result = await call()
      if (method === 'restrictions.write') throw new Error('connection reset')
      return result
    })
    const node = await fleet.start({ store, audit: false })
    const other = await fleet.start()
    const { token } = await issueOn(node)
    expect(await codeOf(node.suspend(TARGET, ACTOR))).toBe('ERR_STORE_UNAVAILABLE')
    expect(await tampering(sweep)).toEqual([])
    expect([node, other].map((each) => verdict(each.verify(token)))).toEqual([
      'suspended',
      'suspended',
    ])
    expect(await rowOf(fleet)).toMatchObject({ revision: 1 })
  })

  it('is not held up by an audit that cannot be written', async () => {
    fleet = await newFleet()
    const { restrictions, audit } = fleet.store
    if (restrictions === undefined || audit === undefined) throw new Error('no parts')
    const store: Store = {
      ...fleet.store,
      close: async () => {},
      restrictions: {
        ...restrictions,
        write: async (next, rows) => {
          if (rows !== undefined) throw new Error('the table of the audit is gone')
          return restrictions.write(next)
        },
      },
      audit: { ...audit, write: (rows) => audit.write(rows) },
    }
    const node = await fleet.start({ store: { ...store } })
    const { token } = await issueOn(node)
    await node.suspend(TARGET, ACTOR)
    expect(verdict(node.verify(token))).toBe('suspended')
  })

  it('comes back from the store when the log is lost', async () => {
    const { token } = await suspended()
    const store = { ...around(fleet.store), supports: { durable: true } }
    const other = await fleet.start({ store, feed: memoryFeed() })
    expect(verdict(other.verify(token))).toBe('suspended')
    await other.restore(TARGET, ACTOR)
    const third = await fleet.start({ store, feed: memoryFeed() })
    expect(verdict(third.verify(token))).toBe('ok')
  })

  it('is reconciled with the store by nodes that the log did not bring it to', async () => {
    const logs = await newLogFleet({ maxStaleness: '1s' })
    fleet = logs
    const a = await logs.startNode()
    const { token } = await issueOn(a.watchword)
    await logs.pass(SECOND)
    // Written by a node on the other side of a split: its event is not in this log.
    const far = await drive(fleet.clock, fleet.start({ feed: memoryFeed() }))
    await drive(fleet.clock, far.suspend(TARGET, ACTOR))
    await logs.pass(3 * SECOND)
    expect(verdict(a.watchword.verify(token))).toBe('suspended')
    expect(a.watchword.health().incidents).toMatchObject({ reconciled: 1 })
    await drive(fleet.clock, far.restore(TARGET, ACTOR))
    await logs.pass(3 * SECOND)
    expect(verdict(a.watchword.verify(token))).toBe('ok')
  })

  it('holds for tokens that are issued after every key of its time has expired', async () => {
    const keys = { rotateEvery: '1h', publishAhead: '10m' } as const
    const { node } = await suspended({ keys })
    await node.suspend({ subject: 'lifted' }, ACTOR)
    await node.restore({ subject: 'lifted' }, ACTOR)
    const [key] = node.keys.list()
    await fleet.clock.advance(12 * HOUR)
    expect(node.keys.list().map(({ id }) => id)).not.toContain(key?.id)
    const { token } = await issueOn(node)
    expect(verdict(node.verify(token))).toBe('suspended')
    const late = await fleet.start()
    expect(verdict(late.verify(token))).toBe('suspended')
    // The register that was lifted is dropped everywhere.
    expect(await partOf(fleet.store).read({ kind: 'subject', value: 'lifted' })).toBeUndefined()
    expect(node.health().revocations).toBe(1)
  })
})

describe('after a downtime that is longer than every entry and key lasts', () => {
  const keys = { rotateEvery: '1h', publishAhead: '10m' } as const

  /** A fleet in which everything is restricted, and then no node runs for a month. */
  async function down(): Promise<void> {
    // The log and the store outlive the node.
    const feed = feedOver(rarelyPolled(), { close: async () => {} })
    fleet = await newFleet({ feed, maxStaleness: '1h', keys })
    const { clock } = fleet
    Object.assign(fleet.store, { now: async () => clock.now() })
    const node = await fleet.start()
    await node.suspend(TARGET, ACTOR)
    await node.freeze({ rotate: true }, ACTOR)
    await node.close()
    await fleet.clock.advance(30 * DAY)
  }

  it('a suspension and a freeze are in effect on a node that starts, and published anew', async () => {
    await down()
    const node = await fleet.start()
    const { token } = await issueOn(node)
    const other = await issueOn(node, { subject: 'other' })
    for (let minutes = 0; minutes < 4; minutes++) {
      expect(verdict(node.verify(token))).toBe('suspended')
      expect(await codeOf(node.rotate(other.token, ACTOR))).toBe('ERR_FROZEN')
      await fleet.clock.advance(MINUTE)
    }
    const fresh = await fleet.start()
    await fleet.clock.advance(12 * HOUR)
    const late = await fleet.start()
    for (const each of [fresh, late]) {
      const { token: next } = await issueOn(each)
      expect(verdict(each.verify(next))).toBe('suspended')
    }
  })

  it('an outage of the store drops nothing', async () => {
    await down()
    let isDown = false
    const store = around(fleet.store, (method, call) =>
      isDown && method.startsWith('restrictions.')
        ? Promise.reject(new Error('no connection'))
        : call(),
    )
    const node = await fleet.start({ store })
    isDown = true
    await fleet.clock.advance(5 * MINUTE)
    const { token } = await issueOn(node)
    expect(verdict(node.verify(token))).toBe('suspended')
    isDown = false
    await fleet.clock.advance(2 * MINUTE)
    const late = await fleet.start()
    expect(verdict(late.verify(token))).toBe('suspended')
  })

  it('a row that was deleted is restored', async () => {
    await down()
    await partOf(fleet.store).purge(Number.MAX_SAFE_INTEGER)
    const node = await fleet.start()
    await sweep()
    expect(await rowOf(fleet)).toMatchObject({ revision: 2, actor: 'system' })
    expect(verdict(node.verify((await issueOn(node)).token))).toBe('suspended')
  })
})

describe('a stored row', () => {
  it('that was deleted is restored, and never lifts the restriction', async () => {
    const { node, token, part } = await suspended()
    await part.purge(Number.MAX_SAFE_INTEGER)
    expect(await tampering(sweep)).toEqual(['subject:svc_billing'])
    expect(await rowOf(fleet)).toMatchObject({ revision: 2, actor: 'system' })
    expect(verdict(node.verify(token))).toBe('suspended')
    expect(await node.restrictions.get(TARGET)).toMatchObject({ suspended: { until: null } })
  })

  it('that cannot be repaired does not stop the repair of the others', async () => {
    const { node, part } = await suspended({
      feed: feedOver(rarelyPolled(), { close: async () => {} }),
    })
    const damaged = { kind: 'subject', value: 'a_first' } as const
    await node.suspend({ subject: 'a_first' }, ACTOR)
    const row = await part.read(damaged)
    if (row === undefined) throw new Error('no row')
    const broken = { ...row, state: '' }
    const isDamaged = ({ value }: { readonly value: string }) => value === damaged.value
    const store: Store = {
      ...around(fleet.store),
      restrictions: {
        ...part,
        read: async (target) => (isDamaged(target) ? broken : part.read(target)),
        list: async (page) => [broken, ...(await part.list(page)).filter((r) => !isDamaged(r))],
      },
    }
    await node.close()
    const other = await fleet.start({ store, audit: false })
    await part.purge(Number.MAX_SAFE_INTEGER)
    await fleet.clock.advance(MINUTE)
    expect(await rowOf(fleet)).toMatchObject({ revision: 2, actor: 'system' })
    expect(verdict(other.verify((await issueOn(other)).token))).toBe('suspended')
  })

  it('that was deleted is replaced by the next change, with a later revision', async () => {
    const { node, token, part } = await suspended()
    await node.restrict(TARGET, { ...ACTOR, to: ['orders:read'] })
    await part.purge(Number.MAX_SAFE_INTEGER)
    const other = await fleet.start()
    const found = await tampering(() =>
      other.restrict(TARGET, { ...ACTOR, deny: ['orders:write'] }),
    )
    expect(found).toEqual(['subject:svc_billing'])
    expect(await rowOf(fleet)).toMatchObject({ revision: 3 })
    expect([node, other].map((each) => verdict(each.verify(token)))).toEqual([
      'suspended',
      'suspended',
    ])
    await other.restore(TARGET, ACTOR)
    expect([node, other].map((each) => verdict(each.verify(token)))).toEqual(['ok', 'ok'])
  })

  it('that was set back to an earlier state is restored', async () => {
    const { node, token, part } = await suspended()
    await node.restore(TARGET, ACTOR)
    const lifted = await rowOf(fleet)
    await node.suspend(TARGET, ACTOR)
    await part.purge(Number.MAX_SAFE_INTEGER)
    await part.write({ ...lifted, revision: 1 })
    await part.write(lifted)
    expect(await tampering(sweep)).toEqual(['subject:svc_billing'])
    expect(await rowOf(fleet)).toMatchObject({ revision: 4 })
    expect(verdict(node.verify(token))).toBe('suspended')
  })

  it('that was edited, with a later revision, is replaced and changes nothing', async () => {
    const { node, token, part } = await suspended()
    const row = await rowOf(fleet)
    await part.write({ ...row, revision: 2, state: '{}' })
    expect(await node.restrictions.list()).toEqual({ items: [], corrupt: ['subject:svc_billing'] })
    expect(await codeOf(node.restrictions.get(TARGET))).toBe('ERR_STORE_CORRUPT')
    expect(await tampering(sweep)).toEqual(['subject:svc_billing'])
    expect(await rowOf(fleet)).toMatchObject({ revision: 3, state: row.state })
    expect(verdict(node.verify(token))).toBe('suspended')
  })

  it('that was edited suspends its target on a node that has neither log nor other nodes', async () => {
    const { token, part } = await suspended()
    await part.write({ ...(await rowOf(fleet)), revision: 2, state: '{}' })
    const store = { ...around(fleet.store), supports: { durable: true } }
    const found: Watchword[] = []
    expect(
      await tampering(async () => {
        found.push(await fleet.start({ store, feed: memoryFeed() }))
      }),
    ).toEqual(['subject:svc_billing'])
    expect(verdict(found[0]?.verify(token) ?? { ok: false, code: 'closed' })).toBe('suspended')
    await found[0]?.restore(TARGET, ACTOR)
    expect(await rowOf(fleet)).toMatchObject({ revision: 3, state: '{}' })
    expect(verdict(found[0]?.verify(token) ?? { ok: false, code: 'closed' })).toBe('ok')
  })

  it('with the highest revision, which no authority wrote, cannot be changed', async () => {
    const { node, part } = await suspended()
    const row = await rowOf(fleet)
    const forged = { ...row, revision: 2 ** 48 - 1, tag: 'x' }
    const store: Store = {
      ...around(fleet.store),
      restrictions: { ...part, read: async () => forged },
    }
    const other = await fleet.start({ store })
    const error = await errorOf(other.restore(TARGET, ACTOR))
    expect(error.code).toBe('ERR_STORE_CORRUPT')
    expect(error.detail).toContain('subject:svc_billing')
    expect(verdict(node.verify((await issueOn(node)).token))).toBe('suspended')
  })
})
