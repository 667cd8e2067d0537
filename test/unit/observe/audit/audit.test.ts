/**
 * The kept audit of an authority over the memory store: each change has its row, and an edit of the rows is found.
 *
 * @module
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type AuditEvent, toJsonLines, toOcsf } from 'watchword'
import { ready } from 'watchword/paseto'
import type { AuditEntry, AuditRow, AuditStore, Store } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { idMaker } from '../../../../src/lib/new-id.js'
import { AuditTrail } from '../../../../src/observe/audit/trail.js'
import type { AuditIncidentKind } from '../../../../src/observe/incident-kind.js'
import { rarelyPolled } from '../../../support/fleet.js'
import {
  activeKey,
  closeAll,
  codeOf,
  DAY,
  failureOf,
  HOUR,
  ISSUER,
  MINUTE,
  type Rig,
  type RigOptions,
  rig,
  START,
  sharedStore,
} from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 'svc_billing', scopes: ['orders:read'], actor: 'bot' }

/** A store whose audit an attacker edits on the way out, and whose writes fail on command. */
function editable() {
  const inner = sharedStore()
  const part = inner.audit as AuditStore
  const state = {
    edit: (entries: readonly AuditEntry[]): readonly AuditEntry[] => entries,
    editPending: (rows: readonly AuditRow[]): readonly AuditRow[] => rows,
    size: Number.POSITIVE_INFINITY,
    failsWith: undefined as string | undefined,
  }
  const entries = async () => {
    const { size } = await part.head()
    return state.edit((await part.read(0, size)).slice(0, state.size))
  }
  const audit: AuditStore = {
    ...part,
    head: async () => {
      const head = await part.head()
      return head.size > state.size ? { size: state.size, state: '' } : head
    },
    read: async (from, limit) =>
      (await entries()).filter((entry) => (entry?.index ?? from) >= from).slice(0, limit),
    listPending: async (page) => state.editPending(await part.listPending(page)),
    write: async (rows) => {
      if (state.failsWith !== undefined) throw new Error(state.failsWith)
      await part.write(rows)
    },
  }
  const store: Store = {
    ...inner,
    audit,
    revoke: async (revocation, rows) => {
      if (state.failsWith !== undefined && rows !== undefined) throw new Error(state.failsWith)
      return inner.revoke(revocation, rows)
    },
  }
  return { store, part, state }
}

async function setup(options: RigOptions = {}, shared: Partial<Rig> = {}) {
  const edited = editable()
  const made = await rig(options, { store: edited.store, ...shared })
  const { watchword } = made
  const issue = async (count: number) => {
    for (let i = 0; i < count; i++) await watchword.issue({ ...INPUT, subject: `svc_${i}` })
    return watchword.audit.checkpoint()
  }
  return { ...made, ...edited, issue }
}

const actionsOf = async (records: AsyncIterable<{ readonly event: AuditEvent }>) => {
  const actions: string[] = []
  for await (const { event } of records) actions.push(event.action)
  return actions
}

describe('the kept audit', () => {
  it('has one row for each change, in the order of time', async () => {
    const { watchword, clock } = await setup()
    const issued = await watchword.issue({ ...INPUT, owner: 'team-a' })
    await watchword.issueMany([INPUT, INPUT])
    const next = await watchword.rotate(issued.token, { actor: 'cron' })
    await watchword.tokens.update(next.id, { label: 'job' }, { actor: 'ops' })
    await watchword.revoke({ id: next.id }, { actor: 'ops', reason: 'left' })
    await watchword.keys.rotate()
    await clock.advance(MINUTE)
    expect(await actionsOf(watchword.audit.read())).toEqual([
      'key.created',
      'token.issued',
      'token.issued',
      'token.issued',
      'token.rotated',
      'token.updated',
      'revoked',
      'key.created',
    ])
    const { items } = await watchword.audit.list({ token: next.id })
    expect(items.map(({ event }) => event.action)).toEqual([
      'token.rotated',
      'token.updated',
      'revoked',
    ])
    const [first] = items
    expect(first).toMatchObject({
      index: expect.any(Number),
      event: { v: 1, at: START, issuer: ISSUER, actor: 'cron', predecessor: issued.id },
    })
    expect(await watchword.audit.verify()).toEqual({
      ok: true,
      size: 8,
      anchoredTo: 8,
      first: null,
    })
  })

  it('pages through a list in either order, by every filter', async () => {
    const { watchword, issue } = await setup()
    await issue(5)
    const page = await watchword.audit.list({ action: 'token.issued', limit: 2, order: 'newest' })
    expect(page.items.map(({ event }) => event.subject)).toEqual(['svc_4', 'svc_3'])
    const rest = await watchword.audit.list({
      action: 'token.issued',
      order: 'newest',
      after: page.next as string,
    })
    expect(rest.items.map(({ event }) => event.subject)).toEqual(['svc_2', 'svc_1', 'svc_0'])
    expect(rest.next).toBeUndefined()
    const counts = await Promise.all(
      [
        { actor: 'bot' },
        { subject: 'svc_1' },
        { since: START },
        { since: START + 1 },
        { until: START },
        { family: page.items[0]?.event.family as string },
        { actor: 'nobody' },
      ].map(async (query) => (await watchword.audit.list(query)).items.length),
    )
    expect(counts).toEqual([5, 1, 6, 0, 0, 1, 0])
  })

  it('records refused calls, without secrets that were passed in the wrong place', async () => {
    const { watchword } = await setup()
    const { token } = await watchword.issue(INPUT)
    await failureOf(() => watchword.issue({ ...INPUT, scopes: ['admin'] }))
    await failureOf(() => watchword.issueMany([{ ...INPUT, ttl: '60d' }]))
    const policy: string = token.slice(0, 60)
    await failureOf(() => watchword.issue({ ...INPUT, policy }))
    await failureOf(() => watchword.revoke({ token: `${token.slice(0, -3)}AAA` }, { actor: 'ops' }))
    await failureOf(() =>
      watchword.tokens.update('01KDVDM4000000000000000000', { label: 'x' }, { actor: 'ops' }),
    )
    await failureOf(() => watchword.issue({ ...INPUT, subject: '' }))
    const { items } = await watchword.audit.list({ action: 'refused' })
    expect(items.map(({ event }) => [event.operation, event.code, event.actor])).toEqual([
      ['issue', 'ERR_SCOPE_NOT_GRANTABLE', 'bot'],
      ['issueMany', 'ERR_TTL_TOO_LONG', 'bot'],
      ['issue', 'ERR_UNKNOWN_POLICY', 'bot'],
      ['revoke', 'ERR_TOKEN_REJECTED', 'ops'],
      ['tokens.update', 'ERR_TOKEN_UNKNOWN', 'ops'],
    ])
    expect(JSON.stringify(items)).not.toContain(token.slice(10, 40))
  })

  it('reports at most 100 refused calls a minute, and how many it left out', async () => {
    const { watchword, clock } = await setup()
    const refuse = () => codeOf(() => watchword.issue({ ...INPUT, scopes: ['admin'] }))
    for (let i = 0; i < 105; i++) await refuse()
    await clock.advance(2 * MINUTE)
    await refuse()
    const { items } = await watchword.audit.list({ action: 'refused', limit: 1000 })
    expect(items.length).toBe(101)
    expect(items.at(-1)?.event.count).toBe(5)
  })

  it('keeps the reuse of one token once an hour, however often it is presented', async () => {
    const { watchword, clock } = await setup()
    const { token } = await watchword.issue(INPUT)
    await watchword.rotate(token, { actor: 'cron' })
    await clock.advance(2 * MINUTE)
    for (let i = 0; i < 5; i++) await codeOf(() => watchword.rotate(token, { actor: 'thief' }))
    const reuse = async () => (await watchword.audit.list({ action: 'token.reused' })).items.length
    expect(await reuse()).toBe(1)
    await clock.advance(HOUR)
    await codeOf(() => watchword.rotate(token, { actor: 'thief' }))
    expect(await reuse()).toBe(2)
  })

  it('hands over a checkpoint at the interval, and none without news', async () => {
    const texts: string[] = []
    const onCheckpoint = (text: string) => {
      texts.push(text)
      throw new Error('the listener failed')
    }
    const { watchword, clock } = await setup({ audit: { checkpointEvery: '10s', onCheckpoint } })
    await watchword.issue(INPUT)
    await clock.advance(10_000)
    await clock.advance(10_000)
    expect(texts.length).toBe(1)
    expect(texts[0]).toMatch(/^https:\/\/auth\.acme\.example\n2\n[A-Za-z0-9+/]{43}=\n$/)
    expect(watchword.health().audit).toEqual({ status: 'kept', size: 2, waiting: 0, lost: 0 })
    expect((await watchword.audit.checkpoint()).text).toBe(texts[0])
    expect(texts.length).toBe(1)
  })

  it('is appended by several nodes to one tree', async () => {
    const one = await setup()
    const two = await rig(
      {},
      { store: one.store, clock: one.clock, feed: one.feed, root: one.root },
    )
    for (let i = 0; i < 5; i++) {
      await one.watchword.issue(INPUT)
      await two.watchword.issue(INPUT)
      await Promise.all([one.watchword.audit.checkpoint(), two.watchword.audit.checkpoint()])
    }
    const [a, b] = [await one.watchword.audit.checkpoint(), await two.watchword.audit.checkpoint()]
    expect(a).toEqual(b)
    expect(a.size).toBe(11)
    expect(await two.watchword.audit.verify({ checkpoint: a.text })).toMatchObject({ ok: true })
  })

  it('lists no row that is not one of an event, and names those that have an id', async () => {
    const { watchword, part, store, issue, clock, root } = await setup()
    await issue(3)
    const [first, second] = await part.list({}, { limit: 2 })
    if (first?.row == null || second?.row == null) throw new Error('no row')
    const found = [
      { ...first, id: second.id },
      { ...first, at: 'x' },
      { ...second, row: null },
      null,
      ...(await part.list({}, { limit: 9 })).slice(2),
    ]
    const audit = { ...(store.audit as AuditStore), list: async () => found as AuditEntry[] }
    const other = (await rig({}, { store: { ...store, audit }, clock, root })).watchword
    const { items, corrupt } = await other.audit.list()
    expect(corrupt).toEqual([second.id, first.id, second.id, '?'])
    expect(items.length).toBe(found.length - 4)
    await expect(other.audit.read().next()).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
      detail: `audit ${second.id}`,
      message: expect.stringMatching(`${second.id} of the audit is not one .* audit.verify\\(\\)`),
    })
    expect((await watchword.audit.list()).corrupt).toBeUndefined()
  })

  it('drops content after `keep`, and still verifies', async () => {
    const { watchword, clock, issue } = await setup(
      { audit: { keep: '2d' }, maxStaleness: '1h' },
      { feed: rarelyPolled() },
    )
    const { text } = await issue(3)
    await clock.advance(3 * DAY)
    await clock.advance(2 * HOUR)
    expect((await watchword.audit.list({ action: 'token.issued' })).items).toEqual([])
    expect(await watchword.audit.verify({ checkpoint: text })).toMatchObject({ ok: true })
  })
})

describe('the verification', () => {
  const swap = (entries: readonly AuditEntry[], i: number, j: number) => {
    const at = (k: number) => ({ ...(entries[k] as AuditEntry) })
    const [a, b] = [at(i), at(j)]
    return entries.map((entry, k) => {
      if (k === i) return { ...b, index: i }
      return k === j ? { ...a, index: j } : entry
    })
  }
  const row = (entry: AuditEntry, change: Partial<AuditRow>) => ({
    ...entry,
    row: { ...(entry.row as AuditRow), ...change },
  })
  type Edit = (entries: readonly AuditEntry[]) => readonly AuditEntry[]
  const one =
    (at: number, change: (entry: AuditEntry) => unknown): Edit =>
    (entries) =>
      entries.map((entry, i) => (i === at ? (change(entry) as AuditEntry) : entry))
  const edits: readonly (readonly [string, Edit, string, number])[] = [
    ['an edited actor', one(3, (e) => row(e, { actor: 'other' })), 'edited', 3],
    [
      'an edited body',
      one(3, (e) => row(e, { body: e.row?.body.replace('svc', 'abc') as string })),
      'edited',
      3,
    ],
    ['a body that is no JSON', one(2, (e) => row(e, { body: 'x' })), 'edited', 2],
    ['an edited tag', one(4, (e) => row(e, { tag: '' })), 'edited', 4],
    ['an edited hash', one(4, (e) => ({ ...e, hash: '0'.repeat(64) })), 'edited', 4],
    ['an edited time', one(1, (e) => ({ ...e, at: 5 })), 'edited', 1],
    ['a malformed entry', one(1, (e) => ({ ...e, at: 'x' })), 'edited', 1],
    ['an entry that is no object', one(1, () => null), 'edited', 1],
    ['removed content', one(1, (e) => ({ ...e, row: null })), 'edited', 1],
    ['a forged place', one(2, (e) => ({ ...e, place: 'x' })), 'moved', 2],
    ['two swapped rows', (entries) => swap(entries, 1, 4), 'moved', 1],
    [
      'an inserted row',
      one(5, (e) => ({ ...row(e, { id: 'x' }), id: 'x', place: 'x' })),
      'inserted',
      5,
    ],
    [
      'a row without an index',
      one(5, (e) => ({ ...e, index: null, hash: null, place: null })),
      'inserted',
      5,
    ],
    ['a removed row', (entries) => entries.filter((_, i) => i !== 3), 'missing', 3],
    ['an index that is used twice', one(3, (e) => ({ ...e, index: 2 })), 'inserted', 3],
    ['all rows removed', () => [], 'missing', 0],
  ]

  it.each(edits)('finds %s', async (_, edit, what, index) => {
    const { watchword, state, issue } = await setup()
    await issue(6)
    expect((await watchword.audit.verify()).ok).toBe(true)
    state.edit = edit
    const { ok, first } = await watchword.audit.verify()
    expect([ok, first?.what, first?.index]).toEqual([false, what, index])
  })

  it('finds a tail that was cut, by the checkpoint that the node remembers', async () => {
    const { watchword, state, issue } = await setup()
    await issue(6)
    state.size = 4
    const fault = { index: 4, id: null, what: 'missing' }
    expect(await watchword.audit.verify()).toEqual({
      ok: false,
      size: 4,
      anchoredTo: 0,
      first: fault,
    })
  })

  it.each([
    ['of Windows', (text: string) => text.replaceAll('\n', '\r\n')],
    ['except the last one', (text: string) => text.trimEnd()],
  ])('reads a checkpoint text with line ends %s', async (_, changed) => {
    const { watchword, issue } = await setup()
    const checkpoint = changed((await issue(6)).text)
    expect(await watchword.audit.verify({ checkpoint })).toMatchObject({ ok: true, anchoredTo: 7 })
  })

  it('finds a rollback by a checkpoint that was kept elsewhere, when no node is left', async () => {
    const first = await setup()
    await first.issue(2)
    const { root, clock } = first
    const head = await first.part.head()
    const { text } = await first.issue(4)
    // An older copy of the store, with the same keys.
    const copy = sharedStore()
    for (const key of await first.store.listKeys()) await copy.insertKey(key)
    const kept = await first.part.read(0, 3)
    await copy.audit?.write(kept.map(({ row: each }) => each as AuditRow))
    const leaves = kept.map(({ id, hash, place }) => ({ id, hash, place }) as never)
    await copy.audit?.append(0, leaves, head.state)
    const { watchword } = await rig({}, { store: copy, root, clock })
    expect((await watchword.audit.verify()).ok).toBe(true)
    const fault = { ok: false, first: { index: 3, what: 'missing' } }
    expect(await watchword.audit.verify({ checkpoint: text })).toMatchObject(fault)
    // The tree grows beyond the checkpoint, with other rows.
    for (let i = 0; i < 9; i++) await watchword.issue(INPUT)
    await watchword.audit.checkpoint()
    expect(await watchword.audit.verify({ checkpoint: text })).toMatchObject({
      ok: false,
      first: { what: 'missing' },
    })
  })

  it('finds a pending row that the authority did not write, and never appends it', async () => {
    const { watchword, part, issue } = await setup()
    await issue(1)
    const [entry] = await part.read(1, 1)
    const id = '01KDVDM4000000000000000000'
    await part.write([{ ...(entry?.row as AuditRow), id }])
    await watchword.audit.checkpoint()
    expect(await watchword.audit.verify()).toMatchObject({
      ok: false,
      first: { index: null, id, what: 'inserted' },
    })
    expect((await watchword.audit.list()).corrupt).toEqual([id])
    expect(await codeOf(() => actionsOf(watchword.audit.read()))).toBe('ERR_STORE_CORRUPT')
    const { items } = await watchword.audit.list({ action: 'store.tampered' })
    expect(items.map(({ event }) => [event.target, event.id])).toEqual([['audit', id]])
  })

  it('refuses a checkpoint of another issuer, and text that is none', async () => {
    const { watchword, issue } = await setup()
    const { text } = await issue(1)
    const codes = [text.replace('acme', 'other'), 'x', text.replace('\n2\n', '\n02\n')].map(
      (checkpoint) => codeOf(() => watchword.audit.verify({ checkpoint })),
    )
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['ERR_INVALID_ARGUMENT']))
    const cosigned = `${text}\n— witness.example AAAA\n`
    expect((await watchword.audit.verify({ checkpoint: cosigned })).ok).toBe(true)
  })
})

describe('an audit that cannot be written', () => {
  it('does not hold up a revocation, and is written later', async () => {
    const { watchword, state } = await setup()
    const { id } = await watchword.issue(INPUT)
    state.failsWith = 'disk full'
    const receipt = await watchword.revoke({ id }, { actor: 'ops' })
    expect(receipt.matched).toBe(1)
    expect(watchword.health().audit.waiting).toBe(1)
    state.failsWith = undefined
    await watchword.audit.checkpoint()
    expect((await watchword.audit.list({ action: 'revoked' })).items.length).toBe(1)
    expect(watchword.health().audit.waiting).toBe(0)
  })

  it('keeps a bounded number of rows in memory, and counts the others', async () => {
    const { watchword, state } = await setup({ policies: { service: { ttl: '1h', scopes: [] } } })
    state.failsWith = 'disk full'
    for (let i = 0; i < 3; i++) await watchword.revoke({ subject: `s${i}` }, { actor: 'ops' })
    expect(watchword.health().audit).toMatchObject({ waiting: 3, lost: 0 })
  })

  it('keeps 10,000 rows in memory, counts the others, and writes them in bounded calls', async () => {
    const clock = resolveClock(manualClock(START))
    const calls: number[] = []
    const state = { isDown: true }
    const { audit: part } = sharedStore()
    const write = async (rows: readonly AuditRow[]) => {
      if (state.isDown) throw new Error('disk full')
      calls.push(rows.length)
      await part?.write(rows)
    }
    const trail = new AuditTrail({
      ...{ clock, issuer: ISSUER, call: (work) => work(), newId: idMaker() },
      store: { ...(part as AuditStore), write },
    })
    trail.sealWith(() => 'tag')
    for (let i = 0; i < 10_050; i++) trail.note({ action: 'revoked', actor: 'ops', id: `${i}` })
    await trail.flush()
    expect([trail.waiting, trail.lost]).toEqual([10_000, 50])
    state.isDown = false
    await trail.flush()
    expect([trail.waiting, trail.lost]).toEqual([0, 50])
    expect(calls).toEqual(Array.from({ length: 20 }, () => 500))
    const kept = (await part?.listPending({ limit: 20_000 })) ?? []
    expect(new Set(kept.map(({ body }) => JSON.parse(body).id)).size).toBe(10_000)
    // Every one of them is watched until it has a place.
    expect(trail.own.ids.length).toBe(10_000)
    expect(await trail.own.firstDeleted()).toBeUndefined()
  })

  it('is refused where the policy requires it, and says how to keep it', async () => {
    const { audit: _, ...bare } = sharedStore()
    const policies = {
      service: { ttl: '30d', scopes: ['orders:*'], audit: { required: true } },
      free: { ttl: '30d', scopes: ['orders:*'] },
    } as const
    const { watchword } = await rig({ policies }, { store: bare })
    expect(watchword.health().audit.status).toBe('not kept')
    const error = await failureOf(() => watchword.issue(INPUT))
    expect(error).toMatchObject({ code: 'ERR_AUDIT_NOT_KEPT' })
    expect(String(error)).toContain('keeps no audit')
    const { token } = await watchword.issue({ ...INPUT, policy: 'free' })
    expect(watchword.verify(token).ok).toBe(true)
    for (const call of [
      () => watchword.audit.list(),
      () => watchword.audit.read().next(),
      () => watchword.audit.checkpoint(),
      () => watchword.audit.verify(),
    ])
      expect(await codeOf(call)).toBe('ERR_AUDIT_NOT_KEPT')
    const off = await rig({ policies, audit: false })
    expect(off.watchword.health().audit.status).toBe('off')
    expect(String(await failureOf(() => off.watchword.audit.list()))).toContain('option `audit`')
    await off.watchword.close()
    expect(await codeOf(() => off.watchword.audit.list())).toBe('ERR_CLOSED')
  })
})

describe('an export', () => {
  it('is one line of JSON for each event', async () => {
    const { watchword, issue } = await setup()
    await issue(2)
    const lines: string[] = []
    for await (const line of toJsonLines(watchword.audit.read())) lines.push(line)
    expect(lines.length).toBe(3)
    for (const line of lines) expect(line.endsWith('}\n')).toBe(true)
    expect(JSON.parse(lines[1] as string)).toMatchObject({
      action: 'token.issued',
      subject: 'svc_0',
    })
  })

  it('maps events to the classes of OCSF', async () => {
    const { watchword } = await setup()
    const { id } = await watchword.issue(INPUT)
    await watchword.revoke({ subject: 'svc_billing' }, { actor: 'ops', reason: 'left' })
    await codeOf(() => watchword.issue({ ...INPUT, scopes: ['admin'] }))
    await watchword.audit.checkpoint()
    const { items } = await watchword.audit.list()
    const [key, issued, revoked, refused] = items.map((item) => toOcsf(item))
    expect(key).toMatchObject({
      class_uid: 6003,
      type_uid: 600301,
      resources: [{ uid: activeKey(watchword), type: 'key' }],
    })
    expect(issued).toMatchObject({
      category_uid: 6,
      time: START,
      metadata: { uid: items[1]?.id, sequence: 1 },
      actor: { user: { name: 'bot' } },
      api: { operation: 'token.issued' },
      resources: [{ uid: id, type: 'token', owner: { user: { uid: 'svc_billing' } } }],
    })
    expect(revoked).toMatchObject({
      class_uid: 3001,
      type_uid: 300105,
      user: { uid: 'svc_billing' },
    })
    expect(refused).toMatchObject({
      status_id: 2,
      status_code: 'ERR_SCOPE_NOT_GRANTABLE',
      severity_id: 3,
    })
  })

  it('gives incidents of the audit and of the feed, and edited rows, the high severity of OCSF', () => {
    const kinds: Readonly<Record<AuditIncidentKind, true>> = {
      ...{ rollback: true, fork: true, missing: true },
      ...{ tampered: true, unreadable: true, deleted: true },
    }
    const incidents = Object.keys(kinds).map((kind) => `audit.${kind}` as AuditEvent['action'])
    for (const action of ['feed.fork', 'store.tampered', ...incidents] as const) {
      const event = { v: 1, at: 1, issuer: ISSUER, action, actor: 'system' } as const
      expect(toOcsf(event), action).toMatchObject({ type_uid: 600399, severity_id: 4 })
    }
  })
})
