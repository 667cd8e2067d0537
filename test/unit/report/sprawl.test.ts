/**
 * The inventory of all live tokens.
 *
 * @module
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createWatchword, type Watchword } from 'watchword'
import { sprawl } from 'watchword/report'
import { manualClock } from 'watchword/testkit'
import { ready } from '../../../src/paseto.js'
import {
  closeAll,
  codeOf,
  DAY,
  failureOf,
  HOUR,
  rig,
  START,
  sharedStore,
} from '../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const COLLIDING = ['svc_162789', 'svc_379192']

const issue = (watchword: Watchword, subject: string, more: object = {}) =>
  watchword.issue({ policy: 'service', subject, actor: 'ops', scopes: ['orders:read'], ...more })

describe('sprawl', () => {
  it('reports an empty inventory', async () => {
    const { watchword } = await rig()
    const report = await sprawl(watchword)
    expect(report).toMatchObject({
      kind: 'sprawl',
      at: START,
      window: { from: START - 30 * DAY, to: START },
      tokens: { stored: 0, live: 0, corrupt: 0 },
      findings: [],
      policies: [],
      owners: [],
      fleet: { status: 'live' },
    })
    expect(report.keys).toHaveLength(1)
    expect(Object.values(report.counts).every((count) => count === 0)).toBe(true)
  })

  it('counts live tokens by policy, owner, age and time left', async () => {
    const { watchword, clock } = await rig()
    await issue(watchword, 'a', { owner: 'team-a' })
    await issue(watchword, 'b', { owner: 'team-a' })
    const revoked = await issue(watchword, 'c')
    await watchword.revoke({ id: revoked.id }, { actor: 'ops' })
    clock.step(2 * DAY)
    await issue(watchword, 'd', { policy: 'short' })
    const { tokens, policies, owners, ages, expiries } = await sprawl(watchword)
    expect(tokens).toEqual({ stored: 4, live: 3, corrupt: 0 })
    expect(policies).toEqual([
      { label: 'service', count: 2 },
      { label: 'short', count: 1 },
    ])
    expect(owners).toEqual([
      { label: 'team-a', count: 2 },
      { label: 'no owner', count: 1 },
    ])
    const filled = (bars: typeof ages) => bars.filter(({ count }) => count > 0)
    expect(filled(ages)).toEqual([
      { label: 'under 1 day', count: 1 },
      { label: '1 to 7 days', count: 2 },
    ])
    expect(filled(expiries)).toEqual([
      { label: 'under 1 day', count: 1 },
      { label: '7 to 30 days', count: 2 },
    ])
  })

  it('lists findings with the most urgent first, up to the limit, and counts all of them', async () => {
    const { watchword, clock } = await rig()
    for (let i = 0; i < 12; i++) await issue(watchword, 'crowd')
    clock.step(22 * DAY)
    const { counts, findings } = await sprawl(watchword, { limit: 3, tooMany: 11 })
    expect(counts).toMatchObject({ no_owner: 12, overdue_rotation: 12, too_many: 1, long_lived: 0 })
    expect(findings.map(({ kind }) => kind).filter((kind) => kind === 'no_owner')).toHaveLength(3)
    const crowd = findings.find(({ kind }) => kind === 'too_many')
    expect(crowd?.evidence).toBe('its subject has 12 live tokens of the policy')
    const order = ['high', 'medium', 'low']
    const risks = findings.map(({ risk }) => order.indexOf(risk))
    expect(risks).toEqual([...risks].sort())
  })

  it('reports no crowd for a subject whose tokens are within the limit', async () => {
    const { watchword } = await rig()
    for (let i = 0; i < 3; i++) await issue(watchword, 'crowd')
    expect((await sprawl(watchword, { tooMany: 3 })).counts.too_many).toBe(0)
    expect((await sprawl(watchword, { tooMany: 2 })).counts.too_many).toBe(1)
  })

  it('reports a former version of a policy, a policy that is gone, and a long lifetime', async () => {
    const store = sharedStore()
    const first = await rig({}, { store })
    await issue(first.watchword, 'a')
    await issue(first.watchword, 'b', { policy: 'short' })
    await first.watchword.close()
    const { clock, root } = first
    const policies = { service: { ttl: '30d', scopes: ['orders:*'], version: 2 } } as const
    const { watchword } = await rig({ policies }, { store, clock, root })
    const { counts, findings } = await sprawl(watchword, { longLived: '29d' })
    expect(counts).toMatchObject({ old_policy: 2, long_lived: 1 })
    const evidence = findings
      .filter(({ kind }) => kind === 'old_policy')
      .map((each) => each.evidence)
    expect(evidence).toEqual([
      'has version 1 of its policy; the current one is 2',
      'this authority has no policy of that name',
    ])
  })

  it('reports tokens whose key was replaced twice', async () => {
    const { watchword, clock } = await rig({ keys: { publishAhead: '1h' } })
    await issue(watchword, 'a')
    for (const replaced of [0, 1, 2]) {
      expect((await sprawl(watchword)).counts.old_key).toBe(replaced < 2 ? 0 : 1)
      await watchword.keys.rotate()
      clock.step(2 * HOUR)
    }
  })

  it('reports tokens that are suspended or restricted', async () => {
    const { watchword } = await rig()
    const { id } = await issue(watchword, 'a')
    await issue(watchword, 'b')
    await watchword.suspend({ id }, { actor: 'ops' })
    expect((await sprawl(watchword)).counts.restricted).toBe(1)
    await watchword.restrict({ subject: 'b' }, { actor: 'ops', to: ['orders:read'] })
    expect((await sprawl(watchword)).counts.restricted).toBe(2)
    await watchword.restore({ id }, { actor: 'ops' })
    expect((await sprawl(watchword)).counts.restricted).toBe(1)
  })

  it('counts rows that were edited, and reads on', async () => {
    const { watchword, store, clock, root } = await rig({}, { store: sharedStore() })
    const { id } = await issue(watchword, 'a')
    await issue(watchword, 'b')
    const edited = {
      ...store,
      listTokens: async (...args: Parameters<typeof store.listTokens>) =>
        (await store.listTokens(...args)).map((row) =>
          row.id === id ? { ...row, subject: 'mallory' } : row,
        ),
    }
    const again = await rig({}, { store: edited, clock, root })
    const { tokens, counts } = await sprawl(again.watchword)
    expect(tokens).toEqual({ stored: 2, live: 1, corrupt: 1 })
    expect(counts.no_owner).toBe(1)
  })

  it('says that use is not known over a store that keeps none', async () => {
    const { usage: _, ...store } = sharedStore()
    const { watchword, clock } = await rig({}, { store })
    await issue(watchword, 'a')
    clock.step(8 * DAY)
    const { coverage, days, counts } = await sprawl(watchword, { window: '7d' })
    expect(coverage).toEqual({ complete: false, kept: false, gaps: [] })
    expect(days).toEqual([])
    expect(counts.unknown).toBe(1)
  })

  it('asks the store about subjects whose tokens may be counted together', async () => {
    const { watchword } = await rig()
    // Both subjects have the same hash, so they are counted together in every table.
    for (const subject of COLLIDING) await issue(watchword, subject)
    expect((await sprawl(watchword, { tooMany: 1 })).counts.too_many).toBe(0)
  })

  it('tells its progress after each page', async () => {
    const { watchword } = await rig()
    const inputs = Array.from({ length: 600 }, (_, i) => ({
      policy: 'service',
      subject: `s${i}`,
      actor: 'ops',
    }))
    await watchword.issueMany(inputs)
    await watchword.issueMany(inputs)
    const seen: object[] = []
    await sprawl(watchword, { onProgress: (progress) => seen.push(progress) })
    expect(seen).toEqual([
      { done: 1000, total: 1200 },
      { done: 1200, total: 1200 },
    ])
  })

  it('rejects with the error that the progress callback throws', async () => {
    const { watchword } = await rig()
    const stop = new Error('stop')
    const onProgress = () => {
      throw stop
    }
    expect(await failureOf(() => sprawl(watchword, { onProgress }))).toBe(stop)
  })

  it('rejects anything that is no authority, and a closed one', async () => {
    for (const given of [undefined, null, 1, {}, { authenticate: async () => ({}) }])
      expect(await codeOf(() => sprawl(given as never))).toBe('ERR_INVALID_ARGUMENT')
    const { watchword } = await rig()
    await watchword.close()
    expect(await codeOf(() => sprawl(watchword))).toBe('ERR_CLOSED')
  })

  it.each([
    { window: '59m' },
    { window: '366d' },
    { window: undefined },
    { limit: 0 },
    { limit: 100_001 },
    { limit: 1.5 },
    { tooMany: 0 },
    { longLived: 'soon' },
    { onProgress: true },
    { windw: '30d' },
    [],
  ])('rejects the options %j', async (options) => {
    const { watchword } = await rig()
    expect(await codeOf(() => sprawl(watchword, options as never))).toBe('ERR_INVALID_ARGUMENT')
  })

  it.each([
    [{ subject: 'svc' }, "options: unknown field 'subject'; sprawl reports on all tokens"],
    [{ all: true }, "options: unknown field 'all'; sprawl always reports on all tokens"],
    [{ windw: '30d' }, "unknown field 'windw' (did you mean 'window'?)"],
  ])('names the fix for the options %j', async (options, message) => {
    const { watchword } = await rig()
    await expect(sprawl(watchword, options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    })
  })

  it('recognizes an authority by its own function', async () => {
    const clock = manualClock(START)
    const watchword = await createWatchword({
      issuer: 'https://auth.acme.example',
      audience: 'orders-api',
      policies: { job: { ttl: '1h', scopes: [] } },
      clock,
    })
    const { authenticate } = watchword
    expect((await sprawl({ authenticate })).tokens.live).toBe(0)
    await watchword.close()
  })
})
