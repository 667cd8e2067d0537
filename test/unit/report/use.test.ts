/**
 * Reports about the use of tokens, over a store that keeps it.
 *
 * @module
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { impact, minimise, sprawl } from 'watchword/report'
import { ready } from '../../../src/paseto.js'
import {
  closeAll,
  codeOf,
  DAY,
  HOUR,
  MINUTE,
  type Rig,
  rig,
  START,
  sharedStore,
} from '../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const SERVICE = {
  policy: 'service',
  subject: 'svc',
  actor: 'ops',
  scopes: ['orders:*', 'stock:read'],
}

async function use(
  { watchword }: Rig,
  token: string,
  scope: string,
  caller: { readonly address?: string; readonly route?: string } = {},
): Promise<void> {
  const result = await watchword.authenticate(token, { scopes: [scope] }, caller)
  expect(result.ok).toBe(true)
}

describe('minimise', () => {
  it('proposes the scopes that were exercised, and names what would be lost', async () => {
    const each = await rig()
    const { watchword, clock } = each
    const { token, id } = await watchword.issue(SERVICE)
    await use(each, token, 'orders:read')
    await clock.advance(2 * HOUR)
    await use(each, token, 'orders:write')
    const report = await minimise(watchword, { id }, { window: '1h' })
    expect(report).toMatchObject({ kind: 'minimise', live: 1, coverage: { complete: true } })
    expect(report.proposal).toContain('orders:write')
    const day = await minimise(watchword, { subject: 'svc' }, { window: '2h' })
    expect(day.tokens).toEqual([
      {
        id,
        subject: 'svc',
        policy: 'service',
        granted: ['orders:*', 'stock:read'],
        exercised: ['orders:read', 'orders:write'],
        proposal: ['orders:read', 'orders:write'],
        lost: ['orders:*', 'stock:read'],
      },
    ])
    expect(day.proposal).toEqual(['orders:read', 'orders:write'])
  })

  it('proposes nothing for a token that lived while counts were not kept', async () => {
    const first = await rig({ usage: false }, { store: sharedStore() })
    const { id, token } = await first.watchword.issue(SERVICE)
    await first.clock.advance(MINUTE)
    await first.watchword.close()
    const { store, clock, root } = first
    const { watchword } = await rig({}, { store, clock, root })
    watchword.verify(token, { scopes: ['orders:read'] })
    const { tokens, proposal, coverage } = await minimise(watchword, { id }, { window: '1d' })
    expect(coverage.complete).toBe(false)
    expect(proposal).toBeNull()
    expect(tokens[0]).toMatchObject({ exercised: ['orders:read'], proposal: null, lost: [] })
  })

  it('proposes no scopes for an unknown id', async () => {
    const { watchword } = await rig()
    const report = await minimise(watchword, { id: '01J00000000000000000000000' }, { window: '1h' })
    expect(report).toMatchObject({ live: 0, tokens: [], proposal: [] })
  })
})

describe('impact', () => {
  it('counts the tokens, requests, callers and scopes that a revocation would stop', async () => {
    const each = await rig()
    const { watchword } = each
    const [one, two] = await watchword.issueMany([
      SERVICE,
      SERVICE,
      { ...SERVICE, subject: 'other' },
    ])
    if (one === undefined || two === undefined) throw new Error('not issued')
    const caller = { address: '10.0.0.7', route: '/orders/:id' }
    for (let i = 0; i < 3; i++) await use(each, one.token, 'orders:read', caller)
    await use(each, one.token, 'stock:read')
    const report = await impact(watchword, { subject: 'svc' }, { window: '1d' })
    expect(report).toMatchObject({
      kind: 'impact',
      live: 2,
      used: 1,
      usedIds: [one.id],
      requests: 4,
      requestsPerDay: 4,
      scopes: [
        { scope: 'orders:read', uses: 3 },
        { scope: 'stock:read', uses: 1 },
      ],
    })
    expect(report.callers.find(({ address }) => address === '10.0.0.7')).toMatchObject({
      route: '/orders/:id',
      requests: 3,
    })
    const known = report.callers.reduce((sum, { requests }) => sum + requests, 0)
    expect(known + report.otherRequests).toBe(4)
  })

  it('lists up to the limit, those with the most requests first, and counts the rest', async () => {
    const each = await rig()
    const [one, two] = await each.watchword.issueMany([SERVICE, SERVICE])
    if (one === undefined || two === undefined) throw new Error('not issued')
    await use(each, one.token, 'orders:read', { address: '10.0.0.1' })
    for (let i = 0; i < 2; i++) await use(each, two.token, 'orders:read', { address: '10.0.0.2' })
    const progress: object[] = []
    const onProgress = (done: object) => void progress.push(done)
    const report = await impact(each.watchword, { all: true }, { limit: 1, onProgress })
    expect(report).toMatchObject({ live: 2, used: 2, usedIds: [two.id], requests: 3 })
    expect(report.callers).toMatchObject([{ address: '10.0.0.2', requests: 2 }])
    expect(report.otherRequests).toBe(1)
    expect(progress).toEqual([{ done: 2, total: 2 }])
    const needs = await minimise(each.watchword, { all: true }, { limit: 1, onProgress })
    expect([needs.live, needs.tokens.length]).toEqual([2, 1])
  })

  it('covers a token and its successors, and no earlier token of the family', async () => {
    const { watchword } = await rig()
    const first = await watchword.issue(SERVICE)
    const second = await watchword.rotate(first.token, { actor: 'ops' })
    expect((await impact(watchword, { id: first.id })).live).toBe(2)
    expect((await impact(watchword, { id: second.id })).live).toBe(1)
    expect((await impact(watchword, { family: first.id })).live).toBe(2)
    await watchword.revoke({ id: second.id }, { actor: 'ops' })
    expect((await impact(watchword, { id: second.id })).live).toBe(0)
  })

  it('counts the live tokens of every kind of target', async () => {
    const { watchword } = await rig()
    const { id, keyId } = await watchword.issue(SERVICE)
    await watchword.issue({ ...SERVICE, policy: 'short', scopes: [] })
    const live = async (target: Parameters<typeof impact>[1]) =>
      (await impact(watchword, target)).live
    expect(await live({ id })).toBe(1)
    expect(await live({ policy: 'short' })).toBe(1)
    expect(await live({ key: keyId })).toBe(2)
    expect(await live({ audience: 'orders-api' })).toBe(2)
    expect(await live({ all: true })).toBe(2)
  })

  it('adds up the rows of all nodes and hours', async () => {
    const { watchword, store, clock } = await rig({}, { store: sharedStore() })
    const { id } = await watchword.issue(SERVICE)
    const caller = { address: '10.0.0.7', route: '/orders', userAgent: 'curl', requests: 600 }
    const row = {
      id,
      from: START - HOUR,
      life: '01KDVDM4000000000000000001',
      requests: 600,
      refused: { revoked: 2 },
      firstUsedAt: START - 2000,
      lastUsedAt: START - 1000,
      scopes: [{ scope: 'orders:read', uses: 600, lastUsedAt: START - 1000 }],
      callers: [caller],
      others: 0,
    }
    const refused = {
      ...row,
      requests: 0,
      firstUsedAt: null,
      lastUsedAt: null,
      scopes: [],
      callers: [],
    }
    await store.usage?.mergeRows([
      row,
      { ...row, from: START, firstUsedAt: START, lastUsedAt: START + 5 },
      { ...refused, life: '01KDVDM4000000000000000002' },
    ])
    clock.step(1000)
    const report = await impact(watchword, { id }, { window: '1d' })
    expect(report).toMatchObject({
      used: 1,
      requests: 1200,
      requestsPerDay: 1200,
      firstUsedAt: START - 2000,
      lastUsedAt: START + 5,
      callers: [{ ...caller, requests: 1200 }],
      scopes: [{ scope: 'orders:read', uses: 1200 }],
    })
    const { days } = await sprawl(watchword, { window: '1d' })
    expect(days).toMatchObject([
      { requests: 600, refused: 4 },
      { requests: 600, refused: 2 },
    ])
  })

  it('reports what it knows if the counts of this process cannot be written', async () => {
    const { usage, ...store } = sharedStore()
    if (usage === undefined) throw new Error('the memory store keeps usage')
    const broken = {
      ...store,
      usage: { ...usage, mergeRows: () => Promise.reject(new Error('full')) },
    }
    const each = await rig({}, { store: broken })
    const { token, id } = await each.watchword.issue(SERVICE)
    await use(each, token, 'orders:read')
    await each.clock.advance(MINUTE)
    const { coverage, requests } = await impact(each.watchword, { id }, { window: '1h' })
    expect([coverage.complete, requests]).toEqual([false, 0])
  })

  it.each([
    {},
    { id: 'x' },
    { id: undefined },
    { all: false },
    { subject: 'a', policy: 'b' },
    { tenant: 'a' },
    'all',
  ])('rejects the target %j', async (target) => {
    const { watchword } = await rig()
    expect(await codeOf(() => impact(watchword, target as never))).toBe('ERR_INVALID_ARGUMENT')
    expect(await codeOf(() => minimise(watchword, target as never))).toBe('ERR_INVALID_ARGUMENT')
  })
})

describe('sprawl over a store that keeps usage', () => {
  const LIFE = { life: '01KDVDM4000000000000000001', node: 'web-7', from: START }

  /** Two tokens, and a node that reported its use of eight days, except in the gaps. */
  async function reported(gaps: readonly { readonly from: number; readonly to: number }[]) {
    const first = await rig({}, { store: sharedStore() })
    const tokens = await first.watchword.issueMany([SERVICE, SERVICE])
    await first.watchword.close()
    const { store, clock, root } = first
    clock.step(8 * DAY)
    await store.usage?.mergeLife({ ...LIFE, to: clock.now(), endedAt: clock.now(), gaps })
    const again = await rig({}, { store, clock, root })
    const [never, used] = tokens
    if (never === undefined || used === undefined) throw new Error('not issued')
    await use(again, used.token, 'orders:read')
    return { ...again, never: never.id, used: used.id }
  }

  it('calls a token never used if every node reported its use since it was issued', async () => {
    const { watchword, never, used } = await reported([])
    const { findings, days } = await sprawl(watchword, { window: '8d' })
    const kindsOf = (token: string) =>
      findings.filter(({ id }) => id === token).map(({ kind }) => kind)
    expect(kindsOf(never)).toEqual(['never_used', 'no_owner'])
    expect(kindsOf(used)).toEqual(['over_scoped', 'no_owner'])
    expect(days.map(({ requests }) => requests)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1])
  })

  it.each([
    ['a minute', MINUTE],
    ['four minutes', 4 * MINUTE],
  ])(
    'ends its window when the last running node has written its counts, %s ago',
    async (_, ago) => {
      const { watchword, store, clock, never } = await reported([])
      const behind = clock.now() - ago
      await store.usage?.mergeLife({
        ...LIFE,
        life: '01KDVDM4000000000000000002',
        node: 'web-8',
        to: behind,
        endedAt: null,
        gaps: [],
      })
      const { window, coverage, findings } = await sprawl(watchword, { window: '7d' })
      expect(window.to).toBe(behind)
      expect(coverage.complete).toBe(true)
      const found = findings.find(({ id, kind }) => id === never && kind !== 'no_owner')
      expect(found?.evidence).toBe('not accepted within 7 days')
    },
  )

  it('says unknown, with the node and the interval, if a node lost counts', async () => {
    const gap = { from: START + DAY, to: START + DAY + HOUR }
    const { watchword, never, used } = await reported([gap])
    const { findings, coverage } = await sprawl(watchword, { window: '8d' })
    expect(coverage).toEqual({ complete: false, kept: true, gaps: [{ node: 'web-7', ...gap }] })
    const kindsOf = (token: string) =>
      findings.filter(({ id }) => id === token).map(({ kind }) => kind)
    expect(kindsOf(never)).toEqual(['no_owner', 'unknown'])
    expect(kindsOf(used)).toEqual(['no_owner'])
    expect(findings.find(({ kind }) => kind === 'unknown')?.evidence).toContain(
      'on node web-7 is not known from 2026-01-02 00:00 UTC to 2026-01-02 01:00 UTC',
    )
  })

  it('asks for the id in place of the text of a token', async () => {
    const { watchword } = await rig()
    for (const report of [impact, minimise])
      await expect(report(watchword, { token: 'x' } as never)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringContaining("target: unknown field 'token'; pass { id }"),
      })
  })
})
