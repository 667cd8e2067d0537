/**
 * A correct part that keeps the audit over the plain store, and stores that are wrong about it.
 *
 * @module
 */
import type { AuditRow, AuditStore } from '../../src/store/audit.js'
import type { AuditTable } from '../../src/store/memory/audit.js'
import type { Store } from '../../src/store/store.js'
import type { Tables } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

/** The store, which writes rows with its changes. Each method has changed something if it returns this. */
export function withAudit(good: Store, tables: Tables, table: AuditTable): Store {
  const kept = <T>(result: T, isChange: boolean, rows: readonly AuditRow[] | undefined): T => {
    if (isChange) table.write(rows)
    return result
  }
  return {
    ...good,
    audit: table.part(async (work) => {
      await good.open()
      return work()
    }),
    async insertTokens(records, limit, rows) {
      const isNew = records.some(({ id }) => !tables.tokens.has(id))
      const result = await good.insertTokens(records, limit)
      return kept(result, isNew && result === 'inserted', rows)
    },
    async updateDetails(id, expected, next, rows) {
      const isDone = await good.updateDetails(id, expected, next)
      return kept(isDone, isDone, rows)
    },
    async succeed(id, successor, at, rows) {
      const result = await good.succeed(id, successor, at)
      return kept(result, result.outcome === 'succeeded', rows)
    },
    async supersede(id, at, rows) {
      const before = tables.tokens.get(id)?.supersededAt
      await good.supersede(id, at)
      kept(undefined, before !== tables.tokens.get(id)?.supersededAt, rows)
    },
    async revoke(revocation, rows) {
      const isNew = !tables.revocations.has(revocation.id)
      return kept(await good.revoke(revocation), isNew, rows)
    },
    async insertKey(record, rows) {
      const isDone = await good.insertKey(record)
      return kept(isDone, isDone, rows)
    },
    async rewrapKey(id, expected, next, rows) {
      const isDone = await good.rewrapKey(id, expected, next)
      return kept(isDone, isDone, rows)
    },
  }
}

const part =
  (change: (good: AuditStore) => Partial<AuditStore>): NonNullable<Mutant['methods']> =>
  (_, store) => {
    const good = store.audit as AuditStore
    return { audit: { ...good, ...change(good) } }
  }

/** Methods that write rows in a step of their own, regardless of the change. */
const careless = (store: Store): Partial<Store> => ({
  async revoke(revocation, rows) {
    await store.audit?.write(rows ?? [])
    return store.revoke(revocation)
  },
})

export const auditMutants: readonly Mutant[] = [
  {
    rule: 'audits.with-change',
    fault: 'a change without its row',
    methods: (_, good) => ({ succeed: (id, next, at) => good.succeed(id, next, at) }),
  },
  {
    rule: 'audits.only-change',
    fault: 'a row without a change',
    methods: (_, good) => careless(good),
  },
  {
    rule: 'audits.write',
    fault: 'loses a row',
    methods: part((good) => ({ write: (rows) => good.write(rows.slice(0, -1)) })),
  },
  {
    rule: 'audits.write',
    fault: 'changes the body',
    methods: part((good) => ({
      write: (rows) => good.write(rows.map((row) => ({ ...row, body: row.body.trim().slice(1) }))),
    })),
  },
  {
    rule: 'audits.append',
    fault: 'orders by id instead of the list',
    methods: part((good) => ({
      append: (size, leaves, state) =>
        good.append(
          size,
          [...leaves].sort((a, b) => (a.id < b.id ? -1 : 1)),
          state,
        ),
    })),
  },
  {
    rule: 'audits.append',
    fault: 'forgets the state',
    methods: part((good) => ({ append: (size, leaves) => good.append(size, leaves, '') })),
  },
  {
    rule: 'audits.append',
    fault: 'two trees: appends at any size',
    methods: part((good) => ({
      append: async (_, leaves, state) => good.append((await good.head()).size, leaves, state),
    })),
  },
  {
    rule: 'audits.refuse',
    fault: 'skips rows that are missing',
    methods: part((good) => ({
      append: async (size, leaves, state) => {
        const ids = (await good.listPending({ limit: 100 })).map(({ id }) => id)
        return good.append(
          size,
          leaves.filter(({ id }) => ids.includes(id)),
          state,
        )
      },
    })),
  },
  {
    rule: 'audits.race',
    fault: 'compares before it waits',
    methods: part((good) => ({
      append: async (size, leaves, state) => {
        if ((await good.head()).size !== size) return false
        await new Promise(setImmediate)
        return good.append((await good.head()).size, leaves, state)
      },
    })),
  },
  {
    rule: 'audits.locate',
    fault: 'finds only rows of the tree',
    methods: part((good) => ({
      locate: async (ids) => (await good.locate(ids)).filter(({ index }) => index !== null),
    })),
  },
  {
    rule: 'audits.locate',
    fault: 'finds rows that were never written',
    methods: part(() => ({ locate: async (ids) => ids.map((id) => ({ id, index: null })) })),
  },
  {
    rule: 'audits.list',
    fault: 'ignores a filter',
    methods: part((good) => ({
      list: ({ actor: _, ...filter }, page) => good.list(filter, page),
    })),
  },
  {
    rule: 'audits.purge',
    fault: 'drops the hash',
    methods: part((good) => ({
      read: async (from, limit) =>
        (await good.read(from, limit)).map((entry) =>
          entry.row === null ? { ...entry, hash: null, place: null } : entry,
        ),
    })),
  },
  {
    rule: 'audits.purge',
    fault: 'keeps the content',
    methods: part(() => ({ purge: async () => 2 })),
  },
]
