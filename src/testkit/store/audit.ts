/**
 * The optional part that keeps the audit.
 *
 * @module
 */
import type { AuditEntry, AuditLeaf, AuditRow, AuditStore } from '../../store/audit.js'
import type { Store } from '../../store/store.js'
import { holds, present, type StoreCase, same } from './case.js'
import { type Fixtures, NOW } from './fixtures.js'

const needs = 'audit' as const

function auditOf(store: Store): AuditStore {
  return present(store.audit, 'the part of the store that keeps the audit')
}

function rowOf(make: Fixtures, over: Partial<AuditRow> = {}): AuditRow {
  const id = make.id()
  return {
    id,
    at: NOW,
    action: 'token.issued',
    actor: 'ops',
    subject: 'user:1',
    token: null,
    family: null,
    body: `{"row":"${id}","text":"é\\u0000 "}`,
    tag: 'v4.local.tag',
    ...over,
  }
}

const byId = (a: AuditRow, b: AuditRow) => (a.id < b.id ? -1 : 1)

const leafOf = ({ id }: AuditRow, n = 0): AuditLeaf => ({
  id,
  hash: String(n).padStart(64, 'a'),
  place: `place ${n}`,
})

const entryOf = (row: AuditRow, index: number): AuditEntry => {
  const { id, at } = row
  const { hash, place } = leafOf(row, index)
  return { id, at, index, hash, place, row }
}

const pendingOf = (row: AuditRow): AuditEntry => {
  const { id, at } = row
  return { id, at, index: null, hash: null, place: null, row }
}

/** Expects the ids of pending rows, in any order of writing. */
async function expectPending(store: Store, rows: readonly AuditRow[], what: string): Promise<void> {
  const found = await auditOf(store).listPending({ limit: 100 })
  same(found, [...rows].sort(byId), what)
}

async function grow(store: Store, rows: readonly AuditRow[], size = 0): Promise<boolean> {
  const leaves = rows.map((row, i) => leafOf(row, size + i))
  return auditOf(store).append(size, leaves, `state ${size + rows.length}`)
}

export const auditCases: readonly StoreCase[] = [
  {
    rule: 'audits.with-change',
    title: 'writes the rows of each change together with it',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const rows = Array.from({ length: 8 }, () => rowOf(make))
      const [a, b, c, d, e, f, g, h] = rows.map((row) => [row])
      const token = make.token()
      await store.insertTokens([token], undefined, a)
      await store.insertTokens([make.token({ subject: 'x' })], { max: 1, now: NOW }, b)
      const details = { label: 'x', owner: null, purpose: null, detailsTag: 'tag' }
      await store.updateDetails(token.id, '', details, c)
      const next = make.successor({ ...token, ...details })
      await store.succeed(token.id, next, NOW, d)
      await store.supersede(next.id, NOW, e)
      await store.revoke(make.revocation('family', token.family), f)
      const key = make.key()
      await store.insertKey(key, g)
      await store.rewrapKey(key.id, key.wrapped, { wrapped: 'w', wrappedBy: 'r' }, h)
      await expectPending(other, rows, 'the pending rows after each change')
    },
  },
  {
    rule: 'audits.only-change',
    title: 'writes no row for a call that changes nothing',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const token = make.token()
      const key = make.key()
      const revocation = make.revocation('subject', 'another')
      await store.insertTokens([token])
      await store.insertKey(key)
      await store.revoke(revocation)
      await store.supersede(token.id, NOW)
      const rows = () => [rowOf(make)]
      await other.insertTokens([token], undefined, rows())
      await other.insertTokens([token], { max: 9, now: NOW }, rows())
      const full = make.token({ subject: token.subject, policy: token.policy })
      same(await other.insertTokens([full], { max: 0, now: 0 }, rows()), 'limit', 'the insert')
      await other.updateDetails(token.id, 'x', { ...token, label: 'x' }, rows())
      await other.succeed(make.id(), make.successor(token), NOW, rows())
      await other.supersede(token.id, NOW + 1, rows())
      await other.revoke(revocation, rows())
      await other.insertKey(key, rows())
      await other.rewrapKey(key.id, 'x', { wrapped: 'w', wrappedBy: 'r' }, rows())
      await expectPending(store, [], 'the pending rows')
    },
  },
  {
    rule: 'audits.write',
    title: 'keeps rows exactly, once for each id, and pages through the pending ones',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const rows = [
        rowOf(make, { subject: `s\u{1F511}${'x'.repeat(1000)}`, body: `"${'b'.repeat(16_000)}"` }),
        rowOf(make, { subject: null, token: make.id(), family: make.id() }),
        ...Array.from({ length: 5 }, () => rowOf(make)),
      ]
      await auditOf(store).write(rows)
      await auditOf(other).write([{ ...(rows[0] as AuditRow), actor: 'another' }])
      await auditOf(store).write([])
      await expectPending(other, rows, 'the pending rows')
      const sorted = [...rows].sort(byId)
      const after = (sorted[2] as AuditRow).id
      same(
        await auditOf(store).listPending({ limit: 3, after }),
        sorted.slice(3, 6),
        'the second page',
      )
    },
  },
  {
    rule: 'audits.append',
    title: 'gives rows the indices of the list, and compares the size of the tree',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const rows = Array.from({ length: 6 }, () => rowOf(make))
      await auditOf(store).write(rows)
      same(await auditOf(store).head(), { size: 0, state: '' }, 'the head of an empty tree')
      // By no other order than that of the list.
      const order = make.shuffled(rows)
      same(await grow(store, order.slice(0, 4)), true, 'the first append')
      same(await grow(other, order.slice(4), 3), false, 'an append at a smaller size')
      same(await grow(other, order.slice(4), 5), false, 'an append at a larger size')
      same(await auditOf(other).head(), { size: 4, state: 'state 4' }, 'the head')
      same(await grow(other, order.slice(4), 4), true, 'the second append')
      same(await auditOf(store).head(), { size: 6, state: 'state 6' }, 'the head afterwards')
      same(await auditOf(store).read(0, 100), order.map(entryOf), 'the entries')
      same(await auditOf(other).read(2, 3), order.map(entryOf).slice(2, 5), 'a part of them')
      same(await auditOf(other).read(6, 3), [], 'the entries after the last')
      await expectPending(store, [], 'the pending rows')
    },
  },
  {
    rule: 'audits.refuse',
    title: 'appends nothing if a row is missing, has a place or is named twice',
    needs,
    async run({ store, make }) {
      const [one, two, late] = [rowOf(make), rowOf(make), rowOf(make)]
      await auditOf(store).write([one, two])
      same(await grow(store, [one, late]), false, 'an append of a missing row')
      same(await grow(store, [one, one]), false, 'an append of one row twice')
      await expectPending(store, [one, two], 'the pending rows')
      same(await grow(store, [one]), true, 'an append of one row')
      same(await grow(store, [two, one], 1), false, 'an append of a row that has a place')
      same(await auditOf(store).head(), { size: 1, state: 'state 1' }, 'the head')
      same(await auditOf(store).read(0, 9), [entryOf(one, 0)], 'the entries')
      await expectPending(store, [two], 'the pending rows afterwards')
    },
  },
  {
    rule: 'audits.race',
    title: 'lets one of several appends at one size win',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const rows = Array.from({ length: 8 }, () => rowOf(make))
      await auditOf(store).write(rows)
      const won = await Promise.all(rows.map((row, i) => grow(i % 2 === 0 ? store : other, [row])))
      same(won.filter(Boolean).length, 1, 'the number of appends that won')
      same((await auditOf(store).head()).size, 1, 'the size')
      same((await auditOf(store).read(0, 9)).length, 1, 'the number of entries')
      same((await auditOf(store).listPending({ limit: 9 })).length, 7, 'the pending rows')
    },
  },
  {
    rule: 'audits.locate',
    title: 'says of each id whether the row is stored, and where in the tree',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const rows = Array.from({ length: 5 }, () => rowOf(make))
      await auditOf(store).write(rows)
      await grow(store, rows.slice(0, 2))
      await auditOf(store).purge(NOW)
      const ids = rows.map(({ id }) => id)
      const found = await auditOf(other).locate([make.id(), ...make.shuffled(ids), 'x\0'])
      same(
        [...found].sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id)),
        ids.map((id, i) => ({ id, index: i < 2 ? i : null })),
        'the places of the rows',
      )
      same(await auditOf(other).locate([]), [], 'the places of no rows')
      // As many as a node asks for at once.
      const many = Array.from({ length: 999 }, () => make.id())
      same(
        await auditOf(store).locate([...many, ids[4] as string]),
        [{ id: ids[4], index: null }],
        'the places of a thousand ids',
      )
    },
  },
  {
    rule: 'audits.list',
    title: 'lists by each filter in both orders, pending rows included',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [token, family] = [make.id(), make.id()]
      const rows = [
        rowOf(make, { action: 'revoked', at: NOW + 1 }),
        rowOf(make, { actor: 'other', at: NOW + 2 }),
        rowOf(make, { subject: 'User:1', at: NOW + 3 }),
        rowOf(make, { token, at: NOW + 4 }),
        rowOf(make, { family, at: NOW + 5 }),
      ].sort(byId)
      await auditOf(store).write(rows)
      const placed = rows.slice(0, 2)
      await grow(store, placed)
      const all = rows.map((row, i) => (i < 2 ? entryOf(row, i) : pendingOf(row)))
      const by = (test: (row: AuditRow) => boolean) =>
        all.filter(({ row }) => test(row as AuditRow))
      const part = auditOf(other)
      same(await part.list({}, { limit: 9 }), all, 'all entries')
      same(
        await part.list({}, { limit: 2, order: 'newest', after: (rows[4] as AuditRow).id }),
        [...all].reverse().slice(1, 3),
        'a page of the newest',
      )
      same(
        await part.list({}, { limit: 2, after: (rows[0] as AuditRow).id }),
        all.slice(1, 3),
        'a page of the oldest',
      )
      const filters: readonly (readonly [object, (row: AuditRow) => boolean])[] = [
        [{ action: 'revoked' }, (row) => row.action === 'revoked'],
        [{ actor: 'other' }, (row) => row.actor === 'other'],
        [{ subject: 'User:1' }, (row) => row.subject === 'User:1'],
        [{ token }, (row) => row.token === token],
        [{ family }, (row) => row.family === family],
        [{ since: NOW + 3 }, (row) => row.at >= NOW + 3],
        [{ until: NOW + 3 }, (row) => row.at < NOW + 3],
        [{ actor: 'ops', since: NOW + 4 }, (row) => row.actor === 'ops' && row.at >= NOW + 4],
        [{ actor: 'o\0' }, () => false],
      ]
      for (const [filter, test] of filters)
        same(
          await part.list(filter, { limit: 9 }),
          by(test),
          `the entries by ${JSON.stringify(filter)}`,
        )
    },
  },
  {
    rule: 'audits.purge',
    title: 'removes the content of old entries and keeps their hashes and places',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const rows = [NOW - 1, NOW, NOW + 1, NOW - 2].map((at) => rowOf(make, { at }))
      await auditOf(store).write(rows)
      await grow(store, rows.slice(0, 3))
      same(await auditOf(other).purge(NOW), 2, 'the number of purged entries')
      same(await auditOf(store).purge(NOW), 0, 'the number of a second purge')
      const expected = rows
        .slice(0, 3)
        .map((row, i) => ({ ...entryOf(row, i), row: i < 2 ? null : row }))
      same(await auditOf(store).read(0, 9), expected, 'the entries')
      const listed = await auditOf(store).list({}, { limit: 9 })
      same(
        listed.map(({ id }) => id),
        rows.slice(2).map(({ id }) => id),
        'the listed entries',
      )
      same(await auditOf(store).head(), { size: 3, state: 'state 3' }, 'the head')
      holds(
        !JSON.stringify(await auditOf(other).read(0, 2)).includes('user:1'),
        'a subject is left',
      )
      await auditOf(store).write([rows[0] as AuditRow])
      same((await auditOf(store).read(0, 1))[0]?.row, null, 'the content after another write')
    },
  },
]
