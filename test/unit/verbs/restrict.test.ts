/**
 * Suspending, restricting, restoring and freezing: what every node then decides, and what is stored.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Decision, RestrictTarget, Watchword } from 'watchword'
import {
  ACTOR,
  auditOf,
  codeOf,
  DAY,
  errorOf,
  type Fleet,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  outcome,
  rarelyPolled,
  SECOND,
  targetsOf,
  verdict,
} from '../../support/fleet.js'

let fleet: Fleet
let a: Watchword
let b: Watchword
beforeEach(async () => {
  fleet = await newFleet({ feed: rarelyPolled(), maxStaleness: '1h' })
  ;[a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
})
afterEach(() => fleet.close())

const both = (token: string, scopes?: readonly string[]) =>
  [a, b].map((node) => verdict(scopes ? node.verify(token, { scopes }) : node.verify(token)))

const OK = ['ok', 'ok']
const SUSPENDED = ['suspended', 'suspended']

/** The targets of a token that can be restricted. */
function restrictTargets(token: Parameters<typeof targetsOf>[0]): [string, RestrictTarget][] {
  const { key: _, all: __, ...rest } = targetsOf(token)
  return Object.entries(rest) as [string, RestrictTarget][]
}

describe('suspend', () => {
  it.each(['token', 'id', 'family', 'subject', 'audience'])(
    'by { %s } refuses the token on every node until it is restored',
    async (field) => {
      const issued = await issueOn(a)
      const target = Object.fromEntries(restrictTargets(issued))[field] as RestrictTarget
      expect(both(issued.token)).toEqual(OK)
      const receipt = await a.suspend(target, ACTOR)
      expect(receipt).toMatchObject({ revision: 1, until: null, position: { seq: 1 } })
      expect(Object.isFrozen(receipt)).toBe(true)
      expect(both(issued.token)).toEqual(SUSPENDED)
      expect(await b.restore(target, ACTOR)).toMatchObject({ revision: 2, until: null })
      expect(both(issued.token)).toEqual(OK)
    },
  )

  it('leaves other tokens alone', async () => {
    const [one, other] = [await issueOn(a), await issueOn(a, { subject: 'other' })]
    for (const [, target] of restrictTargets(one).filter(([field]) => field !== 'audience'))
      await a.suspend(target, ACTOR)
    expect([both(one.token), both(other.token)]).toEqual([SUSPENDED, OK])
  })

  it('of a subject covers tokens that are issued later', async () => {
    await a.suspend({ subject: 'svc_billing' }, ACTOR)
    const { token } = await issueOn(b)
    expect(both(token)).toEqual(SUSPENDED)
  })

  it('of a token reaches its successor, and cannot be evaded by rotating', async () => {
    const first = await issueOn(a)
    const second = await a.rotate(first.token, ACTOR)
    await a.suspend({ id: first.id }, ACTOR)
    expect([both(first.token), both(second.token)]).toEqual([SUSPENDED, SUSPENDED])
    expect(await outcome(b.rotate(second.token, ACTOR))).toEqual({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'suspended',
    })
    await a.restore({ id: first.id }, ACTOR)
    await a.suspend({ id: second.id }, ACTOR)
    expect([both(first.token), both(second.token)]).toEqual([OK, SUSPENDED])
  })

  it('ends by itself when its time is over, without an event', async () => {
    const issued = await issueOn(a)
    const { until } = await a.suspend({ id: issued.id }, { ...ACTOR, for: '5m' })
    expect(until).toBe(fleet.clock.now() + 5 * MINUTE)
    expect(both(issued.token)).toEqual(SUSPENDED)
    await fleet.clock.advance(5 * MINUTE - 1)
    expect(both(issued.token)).toEqual(SUSPENDED)
    await fleet.clock.advance(1)
    expect(both(issued.token)).toEqual(OK)
  })

  it('ends when the last of several is over', async () => {
    const issued = await issueOn(a)
    await a.suspend({ id: issued.id }, { ...ACTOR, for: '2m' })
    await a.suspend({ subject: issued.subject }, { ...ACTOR, for: '4m' })
    await fleet.clock.advance(3 * MINUTE)
    expect(both(issued.token)).toEqual(SUSPENDED)
    await fleet.clock.advance(MINUTE)
    expect(both(issued.token)).toEqual(OK)
  })

  it('stands below a revocation, which restoring does not undo', async () => {
    const issued = await issueOn(a)
    await a.suspend({ id: issued.id }, ACTOR)
    await a.revoke({ id: issued.id }, ACTOR)
    expect(both(issued.token)).toEqual(['revoked', 'revoked'])
    await a.restore({ id: issued.id }, ACTOR)
    expect(both(issued.token)).toEqual(['revoked', 'revoked'])
  })

  it('waits until every node has applied it, if asked to', async () => {
    const issued = await issueOn(a)
    const { nodes } = await a.suspend(
      { id: issued.id },
      { ...ACTOR, waitFor: 'all', timeout: '5s' },
    )
    expect(nodes?.pending).toEqual([])
    expect(nodes?.applied.length).toBeGreaterThan(0)
    expect(both(issued.token)).toEqual(SUSPENDED)
  })

  it('is not lifted by a restriction, nor a restriction by it', async () => {
    const issued = await issueOn(a)
    await a.suspend({ id: issued.id }, { ...ACTOR, for: '5m' })
    await a.restrict({ id: issued.id }, { ...ACTOR, to: ['orders:read'] })
    expect(both(issued.token)).toEqual(SUSPENDED)
    await fleet.clock.advance(5 * MINUTE)
    expect(both(issued.token, ['orders:read'])).toEqual(OK)
    expect(both(issued.token, ['orders:write'])).toEqual([
      'insufficient_scope',
      'insufficient_scope',
    ])
  })

  it('loses no change when nodes race', async () => {
    const issued = await issueOn(a)
    const target = { id: issued.id }
    const changes = [
      a.suspend(target, ACTOR),
      b.restrict(target, { ...ACTOR, to: ['orders:read'] }),
      a.restrict(target, { ...ACTOR, mode: 'report', deny: ['*'] }),
      b.suspend(target, { ...ACTOR, for: '1h' }),
    ]
    const revisions = (await Promise.all(changes)).map(({ revision }) => revision)
    expect(revisions.sort()).toEqual([1, 2, 3, 4])
    const info = await a.restrictions.get(target)
    expect(info).toMatchObject({ revision: 4, enforced: { to: ['orders:read'], until: null } })
    expect(info?.suspended).toBeDefined()
    expect(both(issued.token)).toEqual(SUSPENDED)
  })

  it('is found by a node that starts later', async () => {
    const issued = await issueOn(a)
    await a.suspend({ subject: issued.subject }, ACTOR)
    const late = await fleet.start()
    expect(verdict(late.verify(issued.token))).toBe('suspended')
  })
})

describe('restrict', () => {
  it('takes scopes away, and shows those that are left', async () => {
    const { id, token } = await issueOn(a)
    await a.restrict({ id }, { ...ACTOR, to: ['orders:*', 'stock:read'], deny: ['*:write'] })
    expect(both(token, ['orders:read'])).toEqual(OK)
    expect(b.verify(token, { scopes: ['orders:write'] })).toEqual({
      ok: false,
      code: 'insufficient_scope',
      missing: ['orders:write'],
    })
    expect(both(token, ['users:read'])).toEqual(['insufficient_scope', 'insufficient_scope'])
    expect(b.verify(token)).toMatchObject({ scopes: ['orders:read'] })
  })

  it('never widens a token', async () => {
    const { id, token } = await issueOn(a, { scopes: ['orders:read'] })
    await a.restrict({ id }, { ...ACTOR, to: ['*'] })
    expect(b.verify(token)).toMatchObject({ scopes: ['orders:read'] })
    expect(both(token, ['users:read'])).toEqual(['insufficient_scope', 'insufficient_scope'])
  })

  it('replaces the last restriction of its target, and adds to those of others', async () => {
    const { id, token, subject } = await issueOn(a)
    await a.restrict({ id }, { ...ACTOR, to: ['users:read'] })
    await a.restrict({ id }, { ...ACTOR, to: ['orders:*'] })
    expect(both(token, ['orders:write'])).toEqual(OK)
    await a.restrict({ subject }, { ...ACTOR, deny: ['orders:write'] })
    expect(both(token, ['orders:write'])).toEqual(['insufficient_scope', 'insufficient_scope'])
    expect(both(token, ['orders:read'])).toEqual(OK)
  })

  it('holds for a successor that was made while it was in force, which keeps its sealed scopes', async () => {
    const first = await issueOn(a)
    await a.restrict({ id: first.id }, { ...ACTOR, to: ['orders:read'] })
    const second = await b.rotate(first.token, ACTOR)
    expect(both(second.token, ['orders:write'])).toEqual([
      'insufficient_scope',
      'insufficient_scope',
    ])
    await a.restore({ id: first.id }, ACTOR)
    expect(both(second.token, ['orders:write'])).toEqual(OK)
  })

  it('in report lets requests pass and says what it would have refused', async () => {
    const decided: Decision[] = []
    const note = (message: unknown) => void decided.push(message as Decision)
    const { id, token } = await issueOn(a)
    await a.restrict({ id }, { ...ACTOR, deny: ['*:write'], mode: 'report' })
    subscribe('watchword:decision', note)
    const write = a.verify(token, { scopes: ['orders:write'] })
    const read = await a.authenticate(token, { scopes: ['orders:read'] })
    unsubscribe('watchword:decision', note)
    expect(write).toMatchObject({ ok: true, wouldRefuse: 'insufficient_scope' })
    expect(write).toHaveProperty('scopes', ['orders:read', 'orders:write', 'users:read'])
    expect(read).not.toHaveProperty('wouldRefuse')
    expect(decided.map(({ outcome: what, wouldRefuse }) => [what, wouldRefuse])).toEqual([
      ['ok', 'insufficient_scope'],
      ['ok', undefined],
    ])
    await a.restrict({ id }, { ...ACTOR, to: ['orders:write'] })
    expect(a.verify(token, { scopes: ['orders:write'] })).not.toHaveProperty('wouldRefuse')
  })

  it('is honoured by requests that ask the store', async () => {
    const { id, token } = await issueOn(a)
    await a.restrict({ id }, { ...ACTOR, to: ['orders:read'] })
    const result = await b.authenticate(token, { scopes: ['orders:write'], freshness: 'store' })
    expect(verdict(result)).toBe('insufficient_scope')
  })
})

describe('restore', () => {
  it('writes nothing for a target that was never restricted', async () => {
    const { id } = await issueOn(a)
    expect(await a.restore({ id }, ACTOR)).toMatchObject({ revision: 0, value: id })
    expect(await a.unfreeze(ACTOR)).toMatchObject({ revision: 0, kind: 'freeze' })
    expect((await a.restrictions.list()).items).toEqual([])
  })

  it('can be repeated', async () => {
    const { id, token } = await issueOn(a)
    await a.suspend({ id }, ACTOR)
    for (const revision of [2, 3])
      expect(await a.restore({ id }, ACTOR)).toMatchObject({ revision })
    expect(both(token)).toEqual(OK)
  })
})

describe('freeze', () => {
  it('stops issue on every node, until it is over', async () => {
    const { token } = await issueOn(a)
    await a.freeze({ issue: true, rotate: false }, { ...ACTOR, for: '1h' })
    const error = await errorOf(issueOn(b))
    expect(error).toMatchObject({ code: 'ERR_FROZEN', retryAt: fleet.clock.now() + HOUR })
    expect(await codeOf(b.issueMany([{ policy: 'service', subject: 's', ...ACTOR }]))).toBe(
      'ERR_FROZEN',
    )
    const next = await b.rotate(token, ACTOR)
    expect(both(next.token)).toEqual(OK)
    await fleet.clock.advance(HOUR)
    expect(await codeOf(issueOn(b))).toBe('resolved')
  })

  it('stops rotation, also of a token that was rotated before, until it is lifted', async () => {
    const { token } = await issueOn(a)
    await a.rotate(token, ACTOR)
    const other = await issueOn(a)
    await a.freeze({ rotate: true }, ACTOR)
    for (const each of [token, other.token]) {
      const error = await errorOf(b.rotate(each, ACTOR))
      expect(error.code).toBe('ERR_FROZEN')
      expect(error.retryAt).toBeUndefined()
    }
    expect(await codeOf(issueOn(b))).toBe('resolved')
    await b.unfreeze(ACTOR)
    expect(await codeOf(a.rotate(other.token, ACTOR))).toBe('resolved')
  })

  it('does not lift the other one', async () => {
    await a.freeze({ issue: true }, ACTOR)
    await b.freeze({ rotate: true, issue: false }, ACTOR)
    expect(await codeOf(issueOn(a))).toBe('ERR_FROZEN')
  })

  it('still detects that a token is presented again after its grace', async () => {
    const { token, family } = await issueOn(a)
    await a.rotate(token, ACTOR)
    await a.freeze({ rotate: true }, ACTOR)
    await fleet.clock.advance(9 * MINUTE)
    expect(await codeOf(b.rotate(token, ACTOR))).toBe('ERR_TOKEN_REUSED')
    expect((await a.tokens.list({ family })).items.every((each) => each.revokedAt !== null)).toBe(
      true,
    )
  })
})

describe('restrictions', () => {
  it('are listed in pages, without those that are over or lifted', async () => {
    for (const subject of ['a', 'b', 'c', 'd'])
      await a.suspend({ subject }, { ...ACTOR, reason: 'r' })
    await a.restore({ subject: 'b' }, ACTOR)
    await a.suspend({ subject: 'c' }, { ...ACTOR, for: '1s' })
    await a.freeze({ issue: true }, ACTOR)
    await fleet.clock.advance(SECOND)
    const first = await b.restrictions.list({ limit: 3 })
    expect(first.items.map(({ kind, value }) => [kind, value])).toEqual([
      ['freeze', ''],
      ['subject', 'a'],
    ])
    expect(first.items[1]).toMatchObject({
      ...{ revision: 1, actor: 'ops', reason: 'r', suspended: { until: null } },
    })
    const second = await b.restrictions.list({ limit: 3, ...(first.next && { after: first.next }) })
    expect(second.items.map(({ value }) => value)).toEqual(['d'])
    expect(second).not.toHaveProperty('next')
    expect(await b.restrictions.get({ subject: 'd' })).toMatchObject({ value: 'd' })
    expect(await b.restrictions.get({ subject: 'b' })).toBeUndefined()
    expect(await b.restrictions.get({ subject: 'z' })).toBeUndefined()
  })

  it('are audited', async () => {
    const { id } = await issueOn(a)
    const events = await auditOf(async () => {
      await a.suspend({ id }, { ...ACTOR, reason: 'alarm', for: '1h' })
      await a.restrict({ id }, { ...ACTOR, to: ['orders:read'], deny: ['*:write'], mode: 'report' })
      await a.restore({ id }, ACTOR)
      await a.freeze({ issue: true, rotate: true }, ACTOR)
      await a.unfreeze(ACTOR)
    })
    const until = fleet.clock.now() + HOUR
    expect(events.map(({ v: _, at: __, issuer: ___, ...rest }) => rest)).toEqual([
      { action: 'token.suspended', actor: 'ops', target: 'token', id, reason: 'alarm', until },
      {
        ...{ action: 'token.restricted', actor: 'ops', target: 'token', id, reason: null },
        ...{ to: ['orders:read'], deny: ['*:write'], mode: 'report' },
      },
      { action: 'token.restored', actor: 'ops', target: 'token', id, reason: null },
      { action: 'frozen', actor: 'ops', reason: null, operation: 'issue, rotate' },
      { action: 'unfrozen', actor: 'ops', reason: null },
    ])
  })
})

describe('a call', () => {
  it.each([
    ['no actor', () => a.suspend({ subject: 's' }, {} as never)],
    ['a key', () => a.suspend({ key: `k4.lid.${'A'.repeat(44)}` } as never, ACTOR)],
    ['all', () => a.suspend({ all: true } as never, ACTOR)],
    ['no target', () => a.suspend({} as never, ACTOR)],
    ['two targets', () => a.suspend({ subject: 's', family: 'f' } as never, ACTOR)],
    ['too short a time', () => a.suspend({ subject: 's' }, { ...ACTOR, for: 999 })],
    ['neither to nor deny', () => a.restrict({ subject: 's' }, ACTOR)],
    ['an empty list', () => a.restrict({ subject: 's' }, { ...ACTOR, to: [] })],
    ['an empty list to deny', () => a.restrict({ subject: 's' }, { ...ACTOR, deny: [] })],
    ['a scope that is none', () => a.restrict({ subject: 's' }, { ...ACTOR, to: ['*:write'] })],
    [
      'an unknown mode',
      () => a.restrict({ subject: 's' }, { ...ACTOR, to: ['a'], mode: 'x' as never }),
    ],
    ['undefined', () => a.restrict({ subject: 's' }, { ...ACTOR, to: undefined as never })],
    ['nothing to freeze', () => a.freeze({}, ACTOR)],
    ['only false', () => a.freeze({ issue: false }, ACTOR)],
    ['a wrong place', () => a.restrictions.list({ after: { kind: 'x' as never, value: '' } })],
  ])('with %s is rejected', async (_, call) => {
    expect(await codeOf(call())).toBe('ERR_INVALID_ARGUMENT')
  })

  it('with a token that is not authentic is rejected', async () => {
    const { token } = await issueOn(a)
    expect(await codeOf(a.suspend({ token: `${token.slice(0, -3)}AAA` }, ACTOR))).toBe(
      'ERR_TOKEN_REJECTED',
    )
  })

  it('with longer lists than a register can have is rejected', async () => {
    const long = (letter: string) =>
      Array.from({ length: 64 }, (_, i) => `${letter.repeat(120)}:${100 + i}`)
    const options = { ...ACTOR, to: long('a'), deny: long('b') }
    await a.restrict({ subject: 's' }, options)
    const report = a.restrict({ subject: 's' }, { ...options, mode: 'report' })
    expect(await codeOf(report)).toBe('ERR_INVALID_ARGUMENT')
  })

  it('on a store that keeps no restrictions is rejected, with the fix', async () => {
    const { restrictions: _, ...store } = fleet.store
    const other = await fleet.start({
      store: {
        ...store,
        changes: async (...args) => {
          const { restrictions: __, ...page } = await fleet.store.changes(...args)
          return page
        },
      },
    })
    for (const call of [
      other.suspend({ subject: 's' }, ACTOR),
      other.freeze({ issue: true }, ACTOR),
      other.restrictions.list(),
      other.restrictions.get({ subject: 's' }),
    ]) {
      const error = await errorOf(call)
      expect(error.code).toBe('ERR_RESTRICTIONS_NOT_KEPT')
      expect(error.message).toContain('use a store that has the part `restrictions`')
    }
  })

  it('on a node that is almost full of revocations is rejected', async () => {
    const small = await fleet.start({ maxRevocations: 1000 })
    const subjects = Array.from({ length: 900 }, (_, i) => `s${i}`)
    await Promise.all(subjects.map((subject) => a.suspend({ subject }, ACTOR)))
    expect(await codeOf(small.suspend({ subject: 'one more' }, ACTOR))).toBe('ERR_REVOCATIONS_FULL')
    expect(await codeOf(small.restore({ subject: 's1' }, ACTOR))).toBe('resolved')
  })
})

it('costs a token without restrictions nothing, and one that is not concerned nothing either', async () => {
  const { token } = await issueOn(a)
  const before = a.verify(token)
  await a.suspend({ subject: 'other' }, { ...ACTOR, for: `${DAY}ms` })
  expect(a.verify(token)).toBe(before)
})
