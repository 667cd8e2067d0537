/**
 * Stores that are wrong about opening, closing and records.
 *
 * @module
 */
import type { TokenRecord } from '../../src/store/store.js'
import type { Tables } from './store-mutants-base.js'
import type { Mutant } from './store-mutants-runner.js'

function clear({ tokens, keys, revocations }: Tables): void {
  tokens.clear()
  keys.clear()
  revocations.clear()
}

const full = (record: TokenRecord) => ({ ...record, scopes: [...record.scopes].sort() })

function dropNull(_: string, value: unknown): unknown {
  return value === null ? undefined : value
}

export const lifecycleMutants: readonly Mutant[] = [
  {
    rule: 'lifecycle.fresh',
    fault: 'cases share their data',
    methods: (tables) => {
      tables.keys.set('left over', { id: 'left over' } as never)
      return {}
    },
  },
  {
    rule: 'lifecycle.fresh',
    fault: 'does not say whether it is durable',
    methods: () => ({ supports: {} as never }),
  },
  {
    rule: 'lifecycle.open-twice',
    fault: 'open makes the tables anew',
    methods: (tables, good) => ({
      async open() {
        await good.open()
        clear(tables)
      },
    }),
  },
  {
    rule: 'lifecycle.open-twice',
    fault: 'a second open rejects',
    methods: (_, good) => {
      let opened = false
      return {
        async open() {
          if (opened) throw new Error('open already')
          opened = true
          await good.open()
        },
      }
    },
  },
  {
    rule: 'lifecycle.close-twice',
    fault: 'a second close rejects',
    methods: (_, good) => {
      let closed = false
      return {
        async close() {
          if (closed) throw new Error('closed already')
          closed = true
          await good.close()
        },
      }
    },
  },
  {
    rule: 'lifecycle.closed',
    fault: 'works after close',
    methods: () => ({ close: async () => undefined }),
  },
  {
    rule: 'lifecycle.closed',
    fault: 'open opens it again',
    methods: () => ({ open: async () => undefined }),
  },
  {
    rule: 'lifecycle.closed',
    fault: 'answers missing for could not ask',
    methods: (_, good) => ({ getToken: (id) => good.getToken(id).catch(() => undefined) }),
  },
  {
    rule: 'lifecycle.promises',
    fault: 'throws at once when it is closed',
    methods: (_, good) => {
      let closed = false
      return {
        close() {
          closed = true
          return good.close()
        },
        listKeys() {
          if (closed) throw new Error('closed')
          return good.listKeys()
        },
      }
    },
  },
  {
    rule: 'lifecycle.promises',
    fault: 'answers without a promise',
    methods: () => ({ supersede: (() => undefined) as never }),
  },
  {
    rule: 'lifecycle.visible',
    fault: 'reads from a replica that lags',
    methods: (_, good) => {
      const seen = new Map<string, TokenRecord>()
      return {
        async insertTokens(records, limit) {
          for (const record of records) seen.set(record.id, record)
          return await good.insertTokens(records, limit)
        },
        getToken: async (id) => seen.get(id),
      }
    },
  },
  {
    rule: 'lifecycle.close-own',
    fault: "close ends the caller's client",
    methods: (tables, good) => ({
      async close() {
        clear(tables)
        await good.close()
      },
    }),
  },
  {
    rule: 'lifecycle.twin',
    fault: 'says that it is durable and never shows it',
    hasTwin: false,
    methods: () => ({ supports: { durable: true } }),
  },
]

export const tokenMutants: readonly Mutant[] = [
  {
    rule: 'tokens.round-trip',
    fault: 'sorts the scopes',
    methods: (_, good) => ({
      insertTokens: (records, limit) => good.insertTokens(records.map(full), limit),
    }),
  },
  {
    rule: 'tokens.round-trip',
    fault: 'answers times as text',
    methods: (_, good) => ({
      async getToken(id) {
        const row = await good.getToken(id)
        return row && ({ ...row, issuedAt: String(row.issuedAt) } as never)
      },
    }),
  },
  {
    rule: 'tokens.round-trip',
    fault: 'leaves out what is null',
    rules: { give: (row) => JSON.parse(JSON.stringify(row ?? null, dropNull)) ?? undefined },
  },
  {
    rule: 'tokens.round-trip',
    fault: 'a zero is none',
    rules: { take: (row) => ({ ...row, lastUsedAt: (row as TokenRecord).lastUsedAt || null }) },
  },
  {
    rule: 'tokens.missing',
    fault: 'answers null',
    methods: (_, good) => ({
      getToken: async (id) => (await good.getToken(id)) ?? (null as never),
    }),
  },
  {
    rule: 'tokens.batch',
    fault: 'takes no more than a hundred',
    methods: (_, good) => ({ insertTokens: (records) => good.insertTokens(records.slice(0, 100)) }),
  },
  {
    rule: 'tokens.retry',
    fault: 'a retry overwrites',
    methods: ({ tokens }, good) => ({
      async insertTokens(records, limit) {
        for (const { id } of records) tokens.delete(id)
        return await good.insertTokens(records, limit)
      },
    }),
  },
  {
    rule: 'tokens.retry',
    fault: 'a retry rejects',
    methods: ({ tokens }, good) => ({
      async insertTokens(records, limit) {
        if (records.some(({ id }) => tokens.has(id))) throw new Error('duplicate key')
        return await good.insertTokens(records, limit)
      },
    }),
  },
  {
    rule: 'tokens.retry-forward',
    fault: 'a late retry un-revokes',
    methods: ({ tokens }, good) => ({
      async insertTokens(records, limit) {
        const { revokedAt = null, revokedBy = null, revokedReason = null } = records[0] ?? {}
        for (const { id } of records) {
          Object.assign(tokens.get(id) ?? {}, { revokedAt, revokedBy, revokedReason })
        }
        return await good.insertTokens(records, limit)
      },
    }),
  },
  {
    rule: 'tokens.retry-forward',
    fault: 'a late retry un-supersedes',
    methods: ({ tokens }, good) => ({
      async insertTokens(records, limit) {
        for (const { id, supersededAt } of records) {
          Object.assign(tokens.get(id) ?? {}, { supersededAt })
        }
        return await good.insertTokens(records, limit)
      },
    }),
  },
  {
    rule: 'tokens.all-or-none',
    fault: 'inserts one by one until the limit',
    methods: (_, good) => ({
      async insertTokens(records, limit) {
        for (const record of records) {
          if ((await good.insertTokens([record], limit)) === 'limit') return 'limit'
        }
        return 'inserted'
      },
    }),
  },
  {
    rule: 'tokens.copies',
    fault: 'getToken answers its own row',
    methods: ({ tokens }, good) => ({
      getToken: async (id) =>
        (await good.getToken(id)) === undefined ? undefined : tokens.get(id),
    }),
  },
  {
    rule: 'tokens.copies',
    fault: 'lists share the scopes',
    rules: { give: (row) => row && { ...row } },
  },
  {
    rule: 'tokens.copies',
    fault: 'keeps what it was given',
    rules: { take: (row) => row },
  },
]
