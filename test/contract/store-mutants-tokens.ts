/**
 * Stores that are wrong about records.
 *
 * @module
 */
import type { TokenRecord } from '../../src/store/store.js'
import type { Mutant } from './store-mutants-runner.js'

const full = (record: TokenRecord) => ({ ...record, scopes: [...record.scopes].sort() })

function dropNull(_: string, value: unknown): unknown {
  return value === null ? undefined : value
}

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
    fault: 'returns times as text',
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
    fault: 'returns null',
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
    fault: 'getToken returns its own row',
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
