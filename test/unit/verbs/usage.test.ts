import { ulid } from 'ulid'
import { afterEach, describe, expect, it } from 'vitest'
import type { TokenUsage, UsageNotKept } from 'watchword'
import type { UsageStore } from 'watchword/store'
import { rarelyPolled } from '../../support/fleet.js'
import { closeAll, HOUR, MINUTE, rig, SECOND, START, sharedStore } from '../../support/harness.js'

afterEach(closeAll)

const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  scopes: ['orders:*', 'stock:read'],
  actor: 'ops',
} as const

function kept(usage: TokenUsage | UsageNotKept): TokenUsage {
  if (!usage.kept) throw new Error('the store keeps no usage')
  return usage
}

describe('tokens.usage', () => {
  it('counts requests, refusals and scopes of this process without a wait', async () => {
    const { watchword, clock } = await rig()
    const { token, id } = await watchword.issue(INPUT)
    await clock.advance(10 * SECOND)
    for (let i = 0; i < 3; i++) watchword.verify(token, { scopes: ['orders:read'] })
    watchword.verify(token, { scopes: ['orders:write'] })
    watchword.verify(token)
    watchword.verify(token, { scopes: ['users:read'] })
    await watchword.authenticate(token, { scopes: ['users:read'] })
    // Fires no timer: counts are written at a random time, and this is a report before that.
    clock.step(SECOND)
    const at = START + 10 * SECOND
    expect(await watchword.tokens.usage({ id })).toEqual({
      kept: true,
      from: START,
      to: START + 11 * SECOND,
      requests: 5,
      refused: { insufficient_scope: 2 },
      firstUsedAt: at,
      lastUsedAt: START + 11 * SECOND,
      scopes: [
        { scope: 'orders:read', uses: 3, lastUsedAt: at },
        { scope: 'orders:write', uses: 1, lastUsedAt: at },
      ],
      callers: [],
      others: 0,
      coverage: { complete: true, gaps: [] },
    })
  })

  it('adds up hours, days and families', async () => {
    // Reads the feed and renews its lease less often, so that days pass sooner.
    const { watchword, clock } = await rig({ maxStaleness: '1h' }, { feed: rarelyPolled() })
    const first = await watchword.issue(INPUT)
    watchword.verify(first.token)
    await clock.advance(2 * HOUR)
    watchword.verify(first.token)
    const second = await watchword.rotate(first.token, { actor: 'ops' })
    watchword.verify(second.token)
    const { id, family } = second
    expect(kept(await watchword.tokens.usage({ id })).requests).toBe(1)
    expect(kept(await watchword.tokens.usage({ id: first.id })).requests).toBe(2)
    expect(kept(await watchword.tokens.usage({ family })).requests).toBe(3)
    const recent = await watchword.tokens.usage({ family }, { since: '30m' })
    expect(kept(recent)).toMatchObject({ requests: 2, firstUsedAt: START + 2 * HOUR })
    await clock.advance(72 * HOUR)
    const later = kept(await watchword.tokens.usage({ family }))
    expect(later).toMatchObject({ requests: 3, coverage: { complete: true } })
  })

  it('counts every scope of anyOf that the token has, and none that it lacks', async () => {
    const { watchword } = await rig()
    const { token, id } = await watchword.issue(INPUT)
    const needs = watchword.require({
      scopes: { allOf: ['orders:read'], anyOf: ['stock:read', 'orders:write', 'users:read'] },
    })
    watchword.verify(token, needs)
    const { scopes } = kept(await watchword.tokens.usage({ id }))
    expect(scopes.map(({ scope, uses }) => [scope, uses])).toEqual([
      ['orders:read', 1],
      ['orders:write', 1],
      ['stock:read', 1],
    ])
  })

  it('lists up to eight callers of a token and counts the others', async () => {
    const { watchword } = await rig()
    const { token, id } = await watchword.issue(INPUT)
    for (let i = 0; i < 10; i++)
      for (let n = 0; n <= i; n++)
        await watchword.authenticate(token, {}, { address: `10.0.0.${i}`, route: '/orders' })
    await watchword.authenticate(token)
    const { callers, others, requests } = kept(await watchword.tokens.usage({ id }))
    expect(requests).toBe(56)
    expect(others).toBe(9 + 10)
    expect(callers).toHaveLength(8)
    expect(callers[0]).toEqual({
      address: '10.0.0.7',
      route: '/orders',
      userAgent: '',
      requests: 8,
    })
  })

  it('keeps the last minute of another node as a gap until that node has written it', async () => {
    const one = await rig({ node: 'one' })
    const two = await rig({ node: 'two' }, one)
    const { token, id } = await one.watchword.issue(INPUT)
    two.watchword.verify(token)
    await one.clock.advance(30 * SECOND)
    const usage = kept(await one.watchword.tokens.usage({ id }))
    expect(usage).toMatchObject({ requests: expect.any(Number) })
    const later = async () => kept(await one.watchword.tokens.usage({ id }))
    await two.watchword.close()
    expect(await later()).toMatchObject({ requests: 1, coverage: { complete: true, gaps: [] } })
  })

  it('says that a store without the part keeps nothing', async () => {
    const { usage: _, ...store } = sharedStore()
    const { watchword } = await rig({}, { store })
    const { token, id } = await watchword.issue(INPUT)
    watchword.verify(token)
    expect(await watchword.tokens.usage({ id })).toEqual({
      kept: false,
      from: START,
      to: START,
      coverage: { complete: false, gaps: [{ node: null, from: START, to: START }] },
    })
    expect(watchword.health().usage).toBe('not kept')
  })

  it('knows nothing about a node that does not count', async () => {
    const one = await rig({ node: 'one' })
    const { watchword: two } = await rig({ node: 'two', usage: false }, one)
    const { id, token } = await one.watchword.issue(INPUT)
    two.verify(token)
    await one.clock.advance(5 * MINUTE)
    expect(kept(await one.watchword.tokens.usage({ id }))).toMatchObject({
      requests: 0,
      coverage: { complete: false, gaps: [{ node: 'two', from: START, to: START + 5 * MINUTE }] },
    })
    expect(two.health().usage).toBe('not kept')
    await two.close()
    await one.clock.advance(5 * MINUTE)
    expect(kept(await one.watchword.tokens.usage({ id })).coverage.gaps).toEqual([
      // Uncounted uses may have been made in the very millisecond in which it was closed.
      { node: 'two', from: START, to: START + 5 * MINUTE + 1 },
    ])
  })

  it('adds up every token of a family of more than 1,000', async () => {
    const store = sharedStore()
    const pages: (string | undefined)[] = []
    const listTokens: typeof store.listTokens = async (filter, page) => {
      const [record] = await store.listTokens(filter, { limit: 1 })
      if (record === undefined) return []
      pages.push(page.after)
      // The record of the second page is the one that was used.
      if (page.after !== undefined) return [record]
      return Array.from({ length: 1000 }, (_, i) => ({ ...record, id: ulid(START + i) }))
    }
    const { watchword } = await rig({}, { store: { ...store, listTokens } })
    const { token, family } = await watchword.issue(INPUT)
    watchword.verify(token)
    expect(kept(await watchword.tokens.usage({ family })).requests).toBe(1)
    expect(pages).toEqual([undefined, expect.any(String)])
  })

  it('reports this process as a gap if its counts cannot be written', async () => {
    const store = sharedStore()
    const mergeRows = () => Promise.reject(new Error('the store is down'))
    const usage = { ...(store.usage as UsageStore), mergeRows }
    const { watchword, clock } = await rig({ node: 'one' }, { store: { ...store, usage } })
    const { token, id } = await watchword.issue(INPUT)
    watchword.verify(token)
    clock.step(SECOND)
    expect(kept(await watchword.tokens.usage({ id }))).toMatchObject({
      requests: 0,
      coverage: { complete: false, gaps: [{ node: 'one', from: START, to: START + SECOND }] },
    })
  })

  it.each([
    ['no target', undefined, {}, 'target'],
    ['an empty target', {}, {}, 'expected { id } or { family }'],
    ['two targets', { id: ulid(START), family: ulid(START) }, {}, 'expected { id } or { family }'],
    ['an id that is not a ULID', { id: 'one' }, {}, 'expected a ULID'],
    ['the text of a token', { token: 'x' }, {}, "target: unknown field 'token'; pass { id }"],
    ['a subject', { subject: 'svc' }, {}, "unknown field 'subject'; a report is about one token"],
    ['an unknown target', { tenant: 'a' }, {}, "unknown field 'tenant' (allowed: id, family)"],
    ['less than a minute', { id: ulid(START) }, { since: '59s' }, 'since'],
    ['more than ten years', { id: ulid(START) }, { since: '3651d' }, 'since'],
    ['a text that is not a duration', { id: ulid(START) }, { since: 'yesterday' }, 'since'],
  ])('rejects %s', async (_, target, options, message) => {
    const { watchword } = await rig()
    const usage = () => watchword.tokens.usage(target as never, options as never)
    await expect(usage()).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    })
  })
})
