import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryStore, type WatchwordError } from 'watchword'
import type { Store } from 'watchword/store'
import { type AuditEvent, audits } from '../../../src/observe/channels.js'
import { closeAll, failureOf, rig } from '../../support/harness.js'

const MINUTE = 60_000
const ACTOR = { actor: 'ops' }
const INPUT = { policy: 'service', subject: 'svc_mail', ...ACTOR }
const DETAILS = { label: 'Nightly export', owner: 'team:billing', purpose: 'Reads all orders' }
const NONE = { label: null, owner: null, purpose: null }
const UNKNOWN = '01KDVDM4000000000000000000'
const DEMANDING = {
  service: { ttl: '30d', scopes: [], require: ['owner', 'purpose'] },
  free: { ttl: '30d', scopes: [] },
} as const

const audited: AuditEvent[] = []
const listen = (event: unknown) => audited.push(event as AuditEvent)
beforeEach(() => audits.subscribe(listen))
afterEach(async () => {
  audits.unsubscribe(listen)
  audited.length = 0
  await closeAll()
})

const errorOf = async (call: () => unknown) => (await failureOf(call)) as WatchwordError

const anyOf = (value: unknown): never => value as never

/** A store that runs `before` ahead of the first call of a method. */
function interrupted(method: 'succeed' | 'updateDetails', before: () => Promise<unknown>): Store {
  const store = memoryStore()
  let isFirst = true
  const interrupt = async () => {
    if (!isFirst) return
    isFirst = false
    await before()
  }
  return {
    ...store,
    async succeed(...args) {
      if (method === 'succeed') await interrupt()
      return store.succeed(...args)
    },
    async updateDetails(...args) {
      if (method === 'updateDetails') await interrupt()
      return store.updateDetails(...args)
    },
  }
}

describe('issue with details', () => {
  it('keeps them in the record, and none of them in the token', async () => {
    const { watchword, store } = await rig()
    const issued = await watchword.issue({ ...INPUT, ...DETAILS })
    expect(await watchword.tokens.get(issued.id)).toMatchObject(DETAILS)
    const result = watchword.verify(issued.token)
    expect(JSON.stringify([result, issued])).not.toMatch(/Nightly|billing|Reads/)
    const plain = await watchword.issue(INPUT)
    expect(issued.token.length).toBe(plain.token.length)
    expect(await watchword.tokens.get(plain.id)).toMatchObject(NONE)
    expect((await store.getToken(plain.id))?.detailsTag).toBe('')
  })

  it.each(Object.entries({ label: 128, owner: 256, purpose: 512 }))(
    'accepts a %s of 1 to %i characters, none of them a control character',
    async (name, max) => {
      const { watchword } = await rig()
      for (const text of [
        'x',
        'é'.repeat(max),
        '👩'.repeat(max / 2),
        "'; drop--",
        ' a ',
        '__proto__',
      ]) {
        const { id } = await watchword.issue({ ...INPUT, [name]: text })
        expect(await watchword.tokens.get(id)).toMatchObject({ ...NONE, [name]: text })
      }
      const bad = [
        '',
        'x'.repeat(max + 1),
        'a\nb',
        'a\0',
        '\u007f',
        '\u0085',
        '\ud800',
        7,
        null,
        {},
      ]
      for (const text of [...bad, undefined]) {
        const { code, message } = await errorOf(() =>
          watchword.issue({ ...INPUT, [name]: anyOf(text) }),
        )
        expect([code, message]).toEqual(['ERR_INVALID_ARGUMENT', expect.stringContaining(name)])
      }
    },
  )

  it('rejects what lacks a detail that the policy requires, and names it', async () => {
    const { watchword } = await rig({ policies: DEMANDING })
    const failures = [{}, { owner: 'a' }, { label: 'a', purpose: 'b' }].map((details) =>
      errorOf(() => watchword.issue({ ...INPUT, ...details })),
    )
    expect((await Promise.all(failures)).map(({ code, message }) => [code, message])).toEqual([
      ['ERR_DETAILS_REQUIRED', expect.stringContaining('requires owner and purpose')],
      ['ERR_DETAILS_REQUIRED', expect.stringContaining('requires purpose')],
      ['ERR_DETAILS_REQUIRED', expect.stringContaining('requires owner')],
    ])
    expect(await watchword.tokens.count()).toBe(0)
    const { id } = await watchword.issue({ ...INPUT, owner: 'a', purpose: 'b' })
    expect(await watchword.tokens.get(id)).toMatchObject({ owner: 'a', purpose: 'b', label: null })
    await watchword.issue({ ...INPUT, policy: 'free' })
    const batch = [{ ...INPUT, owner: 'a', purpose: 'b' }, INPUT]
    const { code } = await errorOf(() => watchword.issueMany(batch))
    expect([code, await watchword.tokens.count()]).toEqual(['ERR_DETAILS_REQUIRED', 2])
  })

  it('publishes them with the event', async () => {
    const { watchword } = await rig()
    await watchword.issue({ ...INPUT, owner: 'a' })
    await watchword.issue(INPUT)
    const events = audited.filter(({ action }) => action === 'token.issued')
    expect(events.map(({ owner }) => owner)).toEqual(['a', undefined])
    expect(events.map((event) => 'label' in event)).toEqual([false, false])
  })
})

describe('the hint', () => {
  it.each([
    ['standard', undefined],
    ['branded', 'acme_live'],
  ])('of a %s token is in its text, and differs between tokens', async (kind, prefix) => {
    const { watchword } = await rig(prefix === undefined ? {} : { prefix })
    const hints = new Set<string>()
    for (let i = 0; i < 200; i++) {
      const { id, token } = await watchword.issue({ ...INPUT, subject: 's'.repeat(1 + (i % 3)) })
      const hint = (await watchword.tokens.get(id))?.hint ?? ''
      const end = kind === 'standard' ? token.lastIndexOf('.') : token.length
      expect(hint).toBe(token.slice(end - 4, end))
      expect(hint).toMatch(/^[\w-]{4}$/)
      hints.add(hint)
    }
    // 18 or more random bits: more than four pairs among 200 have a chance of one in 100 million.
    expect(hints.size).toBeGreaterThan(195)
  })

  it('stays that of the first token after rotations', async () => {
    const { watchword } = await rig()
    const first = await watchword.issue(INPUT)
    const { hint } = (await watchword.tokens.get(first.id)) ?? {}
    const second = await watchword.rotate(first.token, ACTOR)
    const third = await watchword.rotate(second.token, ACTOR)
    expect((await watchword.tokens.get(second.id))?.hint).toBe(hint)
    expect((await watchword.tokens.get(third.id))?.hint).toBe(hint)
  })
})

describe('tokens.update', () => {
  it('replaces given details, removes those that are null, and leaves the rest', async () => {
    const { watchword, store } = await rig()
    const { id, token } = await watchword.issue({ ...INPUT, ...DETAILS })
    const before = await watchword.tokens.get(id)
    const updated = await watchword.tokens.update(id, { owner: 'b', purpose: null }, ACTOR)
    expect(updated).toMatchObject({ ...DETAILS, owner: 'b', purpose: null })
    const { owner, purpose } = updated
    expect(updated).toEqual({ ...before, owner, purpose })
    expect(await watchword.tokens.get(id)).toEqual(updated)
    expect(await watchword.tokens.update(id, NONE, ACTOR)).toMatchObject(NONE)
    expect((await store.getToken(id))?.detailsTag).toBe('')
    expect(watchword.verify(token).ok).toBe(true)
  })

  it('publishes what changed, and nothing if nothing did', async () => {
    const { watchword } = await rig()
    const { id } = await watchword.issue({ ...INPUT, ...DETAILS })
    await watchword.tokens.update(id, { owner: 'b', label: DETAILS.label, purpose: null }, ACTOR)
    await watchword.tokens.update(id, { owner: 'b' }, ACTOR)
    const events = audited.filter(({ action }) => action === 'token.updated')
    expect(events).toMatchObject([
      { id, actor: 'ops', subject: 'svc_mail', owner: 'b', purpose: null },
    ])
    expect('label' in (events[0] ?? {})).toBe(false)
  })

  it('reaches every successor, whichever token of the family is named', async () => {
    const { watchword } = await rig()
    const first = await watchword.issue({ ...INPUT, ...DETAILS })
    const second = await watchword.rotate(first.token, ACTOR)
    const third = await watchword.rotate(second.token, ACTOR)
    await watchword.tokens.update(second.id, { owner: 'b' }, ACTOR)
    const owners = [first, second, third].map(
      async ({ id }) => (await watchword.tokens.get(id))?.owner,
    )
    expect(await Promise.all(owners)).toEqual([DETAILS.owner, 'b', 'b'])
  })

  it('reads one row before and after its change, and its successors only in pages', async () => {
    let reads = 0
    const inner = memoryStore()
    const store: Store = {
      ...inner,
      getToken: (id) => {
        reads++
        return inner.getToken(id)
      },
    }
    const { watchword } = await rig({}, { store })
    const first = await watchword.issue({ ...INPUT, ...DETAILS })
    const second = await watchword.rotate(first.token, ACTOR)
    await watchword.rotate(second.token, ACTOR)
    reads = 0
    await watchword.tokens.update(first.id, { owner: 'b' }, ACTOR)
    expect(reads).toBe(2)
    expect((await watchword.tokens.list({ owner: 'b' })).items).toHaveLength(3)
  })

  it('reads a successor again whose details changed since its page was read', async () => {
    let isRaced = false
    const inner = memoryStore()
    const store: Store = {
      ...inner,
      async updateDetails(id, ...change) {
        if (id === second.id && !isRaced) {
          isRaced = true
          await watchword.tokens.update(id, { label: 'Raced' }, ACTOR)
        }
        return inner.updateDetails(id, ...change)
      },
    }
    const { watchword } = await rig({}, { store })
    const first = await watchword.issue({ ...INPUT, ...DETAILS })
    const second = await watchword.rotate(first.token, ACTOR)
    await watchword.tokens.update(first.id, { owner: 'b' }, ACTOR)
    expect(await watchword.tokens.get(second.id)).toMatchObject({ label: 'Raced', owner: 'b' })
  })

  it.each([
    ['before', 0],
    ['after', 1],
  ] as const)('rejects a token that is purged %s its change', async (_, writes) => {
    const inner = memoryStore()
    const store: Store = {
      ...inner,
      async updateDetails(...change) {
        const isDone = writes > 0 && (await inner.updateDetails(...change))
        await inner.purge({ tokens: Number.MAX_SAFE_INTEGER, keys: 0, revocations: 0 })
        return isDone
      },
    }
    const { watchword } = await rig({}, { store })
    const { id } = await watchword.issue(INPUT)
    const { code } = await errorOf(() => watchword.tokens.update(id, { owner: 'b' }, ACTOR))
    expect(code).toBe('ERR_TOKEN_UNKNOWN')
  })

  it('works for a revoked and for an expired token', async () => {
    const { watchword, clock } = await rig({ policies: { service: { ttl: '1h', scopes: [] } } })
    const expired = await watchword.issue(INPUT)
    await clock.advance(50 * MINUTE)
    const revoked = await watchword.issue(INPUT)
    await watchword.revoke({ id: revoked.id }, ACTOR)
    await clock.advance(20 * MINUTE)
    for (const { id } of [revoked, expired])
      expect(await watchword.tokens.update(id, { owner: 'b' }, ACTOR)).toMatchObject({ owner: 'b' })
    expect(watchword.verify(revoked.token)).toMatchObject({ code: 'revoked' })
    expect(watchword.verify(expired.token)).toMatchObject({ code: 'expired' })
  })

  it('rejects an unknown id', async () => {
    const { watchword } = await rig()
    const error = await errorOf(() => watchword.tokens.update(UNKNOWN, { owner: 'b' }, ACTOR))
    expect(error.code).toBe('ERR_TOKEN_UNKNOWN')
    expect(error.message).toContain(UNKNOWN)
  })

  it.each(['x', '', anyOf(undefined), anyOf(null), anyOf({ id: UNKNOWN })])(
    'rejects %j, which is no id',
    async (id) => {
      const { watchword } = await rig()
      const { code } = await errorOf(() => watchword.tokens.update(id, { owner: 'b' }, ACTOR))
      expect(code).toBe('ERR_INVALID_ARGUMENT')
    },
  )

  it('reaches a successor behind a token that was purged', async () => {
    const { watchword, store } = await rig()
    const first = await watchword.issue({ ...INPUT, ...DETAILS })
    const second = await watchword.rotate(first.token, { ...ACTOR, ttl: '1m' })
    const third = await watchword.rotate(second.token, ACTOR)
    await store.purge({ tokens: second.expiresAt + 1, keys: 0, revocations: 0 })
    expect(await watchword.tokens.get(second.id)).toBeUndefined()
    await watchword.tokens.update(first.id, { owner: 'b' }, ACTOR)
    expect(await watchword.tokens.get(third.id)).toMatchObject({ owner: 'b' })
  })

  it('rejects details and options that are invalid, missing, empty or undefined', async () => {
    const { watchword } = await rig()
    const { id } = await watchword.issue(INPUT)
    const { update } = watchword.tokens
    const details = [{}, undefined, null, [], { owner: undefined }, { owner: '' }, { id: 'x' }]
    for (const bad of [...details, { label: 'a', hint: 'b' }, { purpose: 7 }, { owner: 'a\n' }])
      expect((await errorOf(() => update(id, anyOf(bad), ACTOR))).code).toBe('ERR_INVALID_ARGUMENT')
    for (const bad of [{}, undefined, { actor: '' }, { actor: undefined }, { actor: 'a', x: 1 }])
      expect((await errorOf(() => update(id, { owner: 'b' }, anyOf(bad)))).code).toBe(
        'ERR_INVALID_ARGUMENT',
      )
    expect(await watchword.tokens.get(id)).toMatchObject(NONE)
  })

  it('does not remove a detail that the policy requires, but may replace it', async () => {
    const { watchword, store, clock, root } = await rig({ policies: { service: DEMANDING.free } })
    const bare = await watchword.issue(INPUT)
    const full = await watchword.issue({ ...INPUT, ...DETAILS })
    const { watchword: strict } = await rig({ policies: DEMANDING }, { store, clock, root })
    const { update } = strict.tokens
    const codes = [
      () => update(full.id, { owner: null }, ACTOR),
      () => update(bare.id, { label: 'x' }, ACTOR),
      () => update(bare.id, { owner: 'x' }, ACTOR),
      // Nothing changes in this token, but something would in its successors.
      () => update(bare.id, { owner: null }, ACTOR),
    ].map(async (call) => (await errorOf(call)).code)
    expect(await Promise.all(codes)).toEqual(Array(4).fill('ERR_DETAILS_REQUIRED'))
    expect(await update(full.id, { owner: 'b' }, ACTOR)).toMatchObject({ owner: 'b' })
    expect(await update(bare.id, { owner: 'b', purpose: 'c' }, ACTOR)).toMatchObject({ owner: 'b' })
  })

  it('does not stop the rotation of a token that lacks what the policy requires by now', async () => {
    const { watchword, store, clock, root } = await rig({ policies: { service: DEMANDING.free } })
    const { token } = await watchword.issue(INPUT)
    const { watchword: strict } = await rig({ policies: DEMANDING }, { store, clock, root })
    const next = await strict.rotate(token, ACTOR)
    expect(await strict.tokens.get(next.id)).toMatchObject(NONE)
  })

  it('loses neither of two concurrent updates of different details', async () => {
    const { watchword } = await rig()
    const { id } = await watchword.issue(INPUT)
    const { update } = watchword.tokens
    const updates = [{ label: 'a' }, { owner: 'b' }, { purpose: 'c' }]
    await Promise.all(updates.map((each) => update(id, each, ACTOR)))
    expect(await watchword.tokens.get(id)).toMatchObject({ label: 'a', owner: 'b', purpose: 'c' })
  })

  it('reaches the successor of a rotation that comes between its read and its write', async () => {
    const store = interrupted('updateDetails', () => setup.watchword.rotate(issued.token, ACTOR))
    const setup = await rig({}, { store })
    const issued = await setup.watchword.issue({ ...INPUT, ...DETAILS })
    await setup.watchword.tokens.update(issued.id, { owner: 'b' }, ACTOR)
    const { items } = await setup.watchword.tokens.list({ owner: 'b' })
    expect(items.map(({ generation }) => generation)).toEqual([0, 1])
  })
})

describe('rotate', () => {
  it('inherits the details', async () => {
    const { watchword } = await rig()
    const first = await watchword.issue({ ...INPUT, ...DETAILS })
    const second = await watchword.rotate(first.token, ACTOR)
    expect(await watchword.tokens.get(second.id)).toMatchObject(DETAILS)
  })

  it('inherits the details that an update writes between its read and its write', async () => {
    const store = interrupted('succeed', () =>
      setup.watchword.tokens.update(issued.id, { owner: 'b', label: null }, ACTOR),
    )
    const setup = await rig({}, { store })
    const issued = await setup.watchword.issue({ ...INPUT, ...DETAILS })
    const next = await setup.watchword.rotate(issued.token, ACTOR)
    const record = await setup.watchword.tokens.get(next.id)
    expect(record).toMatchObject({ ...DETAILS, owner: 'b', label: null, predecessor: issued.id })
    expect(setup.watchword.verify(next.token)).toMatchObject({ ok: true, id: next.id })
  })
})

describe('a store whose details change at every attempt', () => {
  it('makes update and rotate reject instead of trying without end', async () => {
    let calls = 0
    const inner = memoryStore()
    const store: Store = {
      ...inner,
      async succeed(id, successor) {
        calls++
        const predecessor = await inner.getToken(id)
        return predecessor === undefined || successor === undefined
          ? { outcome: 'missing' }
          : { outcome: 'changed', predecessor }
      },
      async updateDetails() {
        calls++
        return false
      },
    }
    const { watchword } = await rig({}, { store })
    const { id, token } = await watchword.issue(INPUT)
    for (const call of [
      () => watchword.rotate(token, ACTOR),
      () => watchword.tokens.update(id, { owner: 'b' }, ACTOR),
    ]) {
      calls = 0
      expect((await errorOf(call)).code).toBe('ERR_STORE_UNAVAILABLE')
      expect(calls).toBe(20)
    }
  })
})
