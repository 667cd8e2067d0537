import { tracingChannel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import type { RevokeTarget, Watchword } from 'watchword'
import type { Store } from 'watchword/store'
import { auditOf, codeOf, errorOf } from '../../support/fleet.js'
import { closeAll, DAY, HOUR, MINUTE, rig, START, sharedStore } from '../../support/harness.js'

afterEach(closeAll)

const DRY = { actor: 'ops', dryRun: true } as const
const INPUT = { policy: 'service', subject: 'svc', actor: 'ops', scopes: ['orders:read'] }

const issueMany = (watchword: Watchword, count: number, subject: (i: number) => string) =>
  watchword.issueMany(Array.from({ length: count }, (_, i) => ({ ...INPUT, subject: subject(i) })))

describe('a dry run of a revocation', () => {
  it('reports the tokens, their groups, their last use and their callers', async () => {
    const { watchword, clock } = await rig()
    const idle = await watchword.issue({ ...INPUT, policy: 'short' })
    const used = await watchword.issue(INPUT)
    await watchword.issue({ ...INPUT, subject: 'other' })
    await clock.advance(10 * MINUTE)
    const caller = { address: '10.0.0.7', route: '/orders', userAgent: 'curl/8' }
    await watchword.authenticate(used.token, { scopes: ['orders:read'] }, caller)
    await clock.advance(MINUTE)
    const preview = await watchword.revoke({ subject: 'svc' }, DRY)
    expect(preview).toMatchObject({
      dryRun: true,
      kind: 'subject',
      value: 'svc',
      at: START + 11 * MINUTE,
      matched: 2,
      ids: [idle.id, used.id],
      policies: [
        { name: 'service', tokens: 1 },
        { name: 'short', tokens: 1 },
      ],
      subjects: [{ name: 'svc', tokens: 2 }],
      audiences: [{ name: 'orders-api', tokens: 2 }],
      used: 1,
      usage: {
        kept: true,
        from: START,
        to: START + 11 * MINUTE,
        requests: 1,
        callers: [{ ...caller, requests: 1 }],
        others: 0,
        coverage: { complete: true, gaps: [] },
      },
    })
    expect(preview.lastUsedAt).toBeGreaterThanOrEqual(START + 10 * MINUTE)
    expect(preview.lastUsedAt).toBeLessThanOrEqual(START + 11 * MINUTE)
    expect(preview).not.toHaveProperty('corrupt')
    expect(watchword.verify(used.token).ok).toBe(true)
  })

  it('includes the successors of a token, unless only the token itself is to be revoked', async () => {
    const { watchword } = await rig()
    const first = await watchword.issue(INPUT)
    const second = await watchword.rotate(first.token, { actor: 'ops' })
    for (const target of [{ id: first.id }, { token: first.token }]) {
      expect((await watchword.revoke(target, DRY)).ids).toEqual([first.id, second.id])
      const alone = await watchword.revoke(target, { ...DRY, successors: false })
      expect(alone.ids).toEqual([first.id])
    }
    expect((await watchword.revoke({ id: second.id }, DRY)).ids).toEqual([second.id])
  })

  it('reports no token for an unknown target', async () => {
    const { watchword } = await rig()
    await watchword.issue(INPUT)
    const id = '01J00000000000000000000000'
    for (const target of [{ id }, { family: id }, { subject: 'unknown' }]) {
      const preview = await watchword.revoke(target, DRY)
      expect(preview).toMatchObject({ matched: 0, ids: [], used: 0, lastUsedAt: null })
      expect(preview.usage).toMatchObject({ kept: true, coverage: { complete: true } })
    }
  })

  it('lists up to 1,000 ids and 100 subjects, and counts all', async () => {
    const { watchword } = await rig()
    await issueMany(watchword, 1000, (i) => `svc_${i % 150}`)
    await issueMany(watchword, 10, () => 'svc_0')
    const { matched, ids, subjects, policies } = await watchword.revoke({ all: true }, DRY)
    expect(matched).toBe(1010)
    expect(ids).toHaveLength(1000)
    expect(subjects).toHaveLength(101)
    expect(subjects[0]).toEqual({ name: 'svc_0', tokens: 17 })
    expect(subjects.at(-1)).toEqual({ name: null, tokens: 300 })
    expect(subjects.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(1010)
    expect(policies).toEqual([{ name: 'service', tokens: 1010 }])
  })

  it('is neither published nor audited, even if it is refused', async () => {
    const { watchword } = await rig()
    const { id, token } = await watchword.issue(INPUT)
    const before = await watchword.audit.list()
    const channel = tracingChannel<object>('watchword:revoke')
    const operations: string[] = []
    const subscribers = {
      start: () => void operations.push('start'),
      end: () => undefined,
      asyncStart: () => undefined,
      asyncEnd: () => undefined,
      error: () => undefined,
    }
    channel.subscribe(subscribers)
    try {
      const events = await auditOf(async () => {
        await watchword.revoke({ id }, DRY)
        expect(await codeOf(watchword.revoke({ token: `${token}x` }, DRY))).toBe(
          'ERR_TOKEN_REJECTED',
        )
      })
      expect(events).toEqual([])
      expect(operations).toEqual([])
      await watchword.revoke({ id }, { actor: 'ops' })
      expect(operations).toEqual(['start'])
    } finally {
      channel.unsubscribe(subscribers)
    }
    expect(before.items).toHaveLength((await watchword.audit.list()).items.length - 1)
  })

  it.each<[string, unknown, object]>([
    ['a target with two fields', { id: '01J00000000000000000000000', subject: 'a' }, {}],
    ['an unknown target', { subjects: 'svc' }, {}],
    ['a token that is malformed', { token: 'no token' }, {}],
    ['no actor', { subject: 'svc' }, { actor: undefined }],
    ['an unknown option', { subject: 'svc' }, { reasons: 'leaked' }],
    ['an invalid timeout', { subject: 'svc' }, { timeout: '2h' }],
    ['one token only of many', { subject: 'svc' }, { successors: false }],
  ])('refuses %s with the error of the revocation', async (_, target, options) => {
    const { watchword } = await rig()
    await watchword.issue(INPUT)
    const given = { actor: 'ops', ...options }
    const dry = await errorOf(watchword.revoke(target as RevokeTarget, { ...given, dryRun: true }))
    const real = await errorOf(
      watchword.revoke(target as RevokeTarget, { ...given, dryRun: false }),
    )
    expect(dry.code).toBe(real.code)
    expect(dry.message).toBe(real.message)
  })

  it('requires the binding of a bound token', async () => {
    const { watchword } = await rig()
    const { id, token } = await watchword.issue({ ...INPUT, binding: 'cert' })
    expect(await codeOf(watchword.revoke({ token }, DRY))).toBe('ERR_TOKEN_REJECTED')
    expect((await watchword.revoke({ token }, { ...DRY, binding: 'cert' })).ids).toEqual([id])
  })

  it('says that the option is true or false, and not text, and which calls have none', async () => {
    const { watchword } = await rig()
    const { id, keyId } = await watchword.issue(INPUT)
    const options = { actor: 'ops', dryRun: 'true' } as unknown as { readonly actor: string }
    expect((await errorOf(watchword.revoke({ id }, options))).message).toBe(
      "dryRun: expected the boolean true or false, got 'true'",
    )
    const keys = { actor: 'ops', dryRun: true } as { readonly actor: string }
    expect((await errorOf(watchword.keys.revoke(keyId, keys))).message).toContain(
      'keys.revoke and keys.discard have no dry run: use revoke({ key }, { dryRun: true })',
    )
  })

  it('waits for no node, regardless of waitFor and timeout', async () => {
    const { watchword } = await rig()
    const { id } = await watchword.issue(INPUT)
    const waiting = { ...DRY, waitFor: 'all', timeout: '1h' } as const
    const preview = await watchword.revoke({ id }, waiting)
    expect(preview).toMatchObject({ dryRun: true, ids: [id] })
    expect(preview).not.toHaveProperty('nodes')
  })

  it.each([
    ['text', 'yes'],
    ['the text true', 'true'],
    ['a number', 1],
    ['undefined', undefined],
    ['null', null],
  ])('is refused, and nothing is revoked, if the option is %s', async (_, dryRun) => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const options = { actor: 'ops', dryRun } as unknown as { readonly actor: string }
    expect(await codeOf(watchword.revoke({ token }, options))).toBe('ERR_INVALID_ARGUMENT')
    expect(watchword.verify(token).ok).toBe(true)
  })

  it.each([true, false])(
    'is refused if a getter first returns %s and then the opposite',
    async (first) => {
      const { watchword } = await rig()
      const { token } = await watchword.issue(INPUT)
      let reads = 0
      const options = {
        actor: 'ops',
        get dryRun() {
          return reads++ === 0 ? first : !first
        },
      }
      expect(await codeOf(watchword.revoke({ token }, options))).toBe('ERR_INVALID_ARGUMENT')
      expect(watchword.verify(token).ok).toBe(true)
    },
  )

  it('is not requested by a polluted prototype', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    Object.defineProperty(Object.prototype, 'dryRun', { value: true, configurable: true })
    try {
      expect(await watchword.revoke({ token }, { actor: 'ops' })).toMatchObject({ matched: 1 })
    } finally {
      Reflect.deleteProperty(Object.prototype, 'dryRun')
    }
    expect(watchword.verify(token)).toEqual({ ok: false, code: 'revoked' })
  })

  it('does not exist for keys.revoke and keys.discard, which refuse it', async () => {
    const { watchword } = await rig()
    const { token, keyId } = await watchword.issue(INPUT)
    const failure = await errorOf(watchword.keys.revoke(keyId, DRY))
    expect(failure.code).toBe('ERR_INVALID_ARGUMENT')
    expect(failure.message).toContain('use revoke({ key }, { dryRun: true })')
    expect(await codeOf(watchword.keys.discard(keyId, DRY))).toBe('ERR_INVALID_ARGUMENT')
    expect(watchword.verify(token).ok).toBe(true)
    expect((await watchword.revoke({ key: keyId }, DRY)).matched).toBe(1)
  })

  it('rejects once the authority is closed', async () => {
    const { watchword } = await rig()
    await watchword.close()
    expect(await codeOf(watchword.revoke({ all: true }, DRY))).toBe('ERR_CLOSED')
  })

  it('rejects if the store cannot be read', async () => {
    const store: Store = { ...sharedStore(), getToken: () => Promise.reject(new Error('down')) }
    const { watchword } = await rig({}, { store })
    const { id } = await watchword.issue(INPUT)
    expect(await codeOf(watchword.revoke({ id }, DRY))).toBe('ERR_STORE_UNAVAILABLE')
  })

  it('reports the last use of records if the store keeps no usage', async () => {
    const { usage: _, ...store } = sharedStore()
    const { watchword, clock } = await rig({}, { store })
    const { id, token } = await watchword.issue(INPUT)
    watchword.verify(token)
    await clock.advance(5 * MINUTE)
    const { used, lastUsedAt, usage } = await watchword.revoke({ id }, DRY)
    const to = START + 5 * MINUTE
    const from = to - 30 * DAY
    expect({ used, usage }).toEqual({
      used: 1,
      usage: {
        kept: false,
        from,
        to,
        coverage: { complete: false, gaps: [{ node: null, from, to }] },
      },
    })
    expect(lastUsedAt).not.toBeNull()
  })

  it('names the gaps since the first of the tokens was issued', async () => {
    const first = await rig({ usage: false }, { store: sharedStore() })
    const { id } = await first.watchword.issue(INPUT)
    await first.clock.advance(HOUR)
    await first.watchword.close()
    const { store, clock, root } = first
    const { watchword } = await rig({}, { store, clock, root })
    const { usage } = await watchword.revoke({ id }, DRY)
    expect(usage.from).toBe(START)
    expect(usage.coverage.complete).toBe(false)
    for (const { from } of usage.coverage.gaps) expect(from).toBeGreaterThanOrEqual(START)
  })

  it('lists records that were edited in the database as corrupt', async () => {
    const inner = sharedStore()
    const edit = <T extends { readonly subject: string; readonly id: string } | undefined>(
      row: T,
    ) => (row?.subject === 'edited' ? { ...row, expiresAt: START + 90 * DAY } : row)
    const store: Store = {
      ...inner,
      getToken: async (id) => edit(await inner.getToken(id)),
      listTokens: async (...query) => (await inner.listTokens(...query)).map(edit),
    }
    const { watchword } = await rig({}, { store })
    const intact = await watchword.issue(INPUT)
    const { id } = await watchword.issue({ ...INPUT, subject: 'edited' })
    expect(await watchword.revoke({ all: true }, DRY)).toMatchObject({
      matched: 1,
      ids: [intact.id],
      corrupt: [id],
    })
    expect(await watchword.revoke({ id }, DRY)).toMatchObject({ matched: 0, corrupt: [id] })
  })

  it('leaves out tokens that are rejected already, though the store does not know it', async () => {
    const store: Store = { ...sharedStore(), revoke: () => Promise.reject(new Error('down')) }
    const { watchword } = await rig({}, { store })
    const { id } = await watchword.issue(INPUT)
    const other = await watchword.issue(INPUT)
    expect(await codeOf(watchword.revoke({ id }, { actor: 'ops' }))).toBe('ERR_STORE_UNAVAILABLE')
    expect((await watchword.revoke({ all: true }, DRY)).ids).toEqual([other.id])
  })

  it('leaves out tokens of a node whose clock is so far ahead that they would not be revoked', async () => {
    const ahead = await rig({}, { store: sharedStore() })
    ahead.clock.step(3 * HOUR)
    const { id } = await ahead.watchword.issue(INPUT)
    const { store, root } = ahead
    const { watchword } = await rig({}, { store, root })
    expect((await watchword.revoke({ subject: 'svc' }, DRY)).ids).toEqual([])
    expect((await watchword.revoke({ id }, DRY)).ids).toEqual([id])
    expect(await watchword.revoke({ subject: 'svc' }, { actor: 'ops' })).toMatchObject({
      matched: 0,
    })
  })
})
