/**
 * Stores that are wrong about text, and about concurrent calls.
 *
 * @module
 */
import { type Gap, GOOD, type Row, type Rules } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Lets other calls run between a check and its write. */
const gapAt = (where: Gap): Partial<Rules> => ({
  gap: (here) => (here === where ? tick() : undefined),
})

/** Compares as if these were equal. */
const comparing = (text: (text: string) => string): Partial<Rules> => ({ text })

/** Finds by id any row that is equal after this. */
const finding = (id: (id: string) => string): Partial<Rules> => ({ id })

/** Stores every text of a token in another form. */
const keeping = (change: (text: string) => string): Partial<Rules> => ({
  take: (row) =>
    JSON.parse(JSON.stringify(row), (_, value) =>
      typeof value === 'string' ? change(value) : value,
    ),
})

const folded = (text: string) => text.toLowerCase()
const cutAtNul = (text: string) => text.split('\0')[0] ?? ''

export const textMutants: readonly Mutant[] = [
  { rule: 'text.exact', fault: 'trims the end', rules: keeping((text) => text.trimEnd()) },
  { rule: 'text.exact', fault: 'normalises', rules: keeping((text) => text.normalize('NFC')) },
  { rule: 'text.exact', fault: 'cuts long text', rules: keeping((text) => text.slice(0, 1000)) },
  {
    rule: 'text.exact',
    fault: 'knows three bytes a character',
    rules: keeping((text) => text.replace(/[\u{10000}-\u{10ffff}]/gu, '?')),
  },
  { rule: 'text.distinct', fault: 'folds case', rules: comparing(folded) },
  { rule: 'text.distinct', fault: 'pads the end', rules: comparing((text) => text.trimEnd()) },
  { rule: 'text.distinct', fault: 'normal forms', rules: comparing((text) => text.normalize()) },
  { rule: 'text.distinct', fault: 'compares a prefix', rules: comparing((t) => t.slice(0, 1000)) },
  {
    rule: 'text.distinct',
    fault: 'numbers in disguise',
    rules: comparing((text) => (/^[0-9.]+$/.test(text) ? String(Number(text)) : text)),
  },
  {
    rule: 'text.limits',
    fault: 'counts subjects in any case',
    rules: {
      counts: (row, like, now) =>
        folded(row.subject) === folded(like.subject) &&
        GOOD.counts(row, { ...like, subject: row.subject }, now),
    },
  },
  {
    rule: 'text.revocation',
    fault: 'revokes subjects in any case',
    rules: {
      covers: (revocation, row) =>
        GOOD.covers(
          { ...revocation, value: folded(revocation.value) },
          { ...row, subject: folded(row.subject) },
        ),
    },
  },
  {
    rule: 'text.revocation',
    fault: 'a value is a pattern',
    rules: {
      covers: (revocation, row) => revocation.value === '%' || GOOD.covers(revocation, row),
    },
  },
  { rule: 'text.key', fault: 'folds audiences of keys', rules: comparing(folded) },
  { rule: 'text.strange-id', fault: 'in any case', rules: finding((id) => id.toUpperCase()) },
  { rule: 'text.strange-id', fault: 'trims', rules: finding((id) => id.trim()) },
  { rule: 'text.strange-id', fault: 'ends at U+0000', rules: finding(cutAtNul) },
  { rule: 'text.strange-id', fault: 'cuts to length', rules: finding((id) => id.slice(0, 26)) },
  {
    rule: 'text.strange-id',
    fault: 'rejects U+0000',
    rules: finding((id) => {
      if (id.includes('\0')) throw new Error('invalid byte sequence')
      return id
    }),
  },
  { rule: 'text.strange-filter', fault: 'ends at U+0000', rules: comparing(cutAtNul) },
  {
    rule: 'text.strange-filter',
    fault: 'replaces lone surrogates',
    rules: comparing((text) => text.toWellFormed()),
  },
  {
    rule: 'text.strange-target',
    fault: 'revokes ids in any case',
    rules: {
      covers: (revocation, row) =>
        GOOD.covers({ ...revocation, value: revocation.value.toUpperCase() }, row),
    },
  },
]

export const raceMutants: readonly Mutant[] = [
  { rule: 'races.succeed', fault: 'checks, then writes', rules: gapAt('succeed') },
  { rule: 'races.chain', fault: 'checks, then writes', rules: gapAt('succeed') },
  { rule: 'races.limit', fault: 'counts, then inserts', rules: gapAt('limit') },
  {
    rule: 'races.retry',
    fault: 'looks, then inserts, and a second insert rejects',
    methods: ({ tokens }, good) => ({
      async insertTokens(records, limit) {
        if (records.every(({ id }) => tokens.has(id))) return 'inserted'
        await tick()
        if (records.some(({ id }) => tokens.has(id))) throw new Error('duplicate key')
        return await good.insertTokens(records, limit)
      },
    }),
  },
  { rule: 'races.revoke', fault: 'looks for rows, then marks them', rules: gapAt('revoke') },
  { rule: 'races.revoke', fault: 'checks, then links', rules: gapAt('succeed') },
  {
    rule: 'races.revoke-token',
    fault: 'a rotation writes the whole row back',
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const { revokedAt, revokedBy, revokedReason } = tokens.get(id) ?? {}
        const result = await good.succeed(id, successor, at)
        await tick()
        Object.assign(tokens.get(id) ?? {}, { revokedAt, revokedBy, revokedReason })
        return result
      },
    }),
  },
  { rule: 'races.insert-revoke', fault: 'inserts row by row', rules: gapAt('insert') },
  {
    rule: 'races.first-mark',
    fault: 'the actor of the first, the time of the last',
    methods: ({ tokens }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        for (const row of tokens.values()) row.revokedAt = revocation.at
        return result
      },
    }),
  },
  {
    rule: 'races.revoke-retry',
    fault: 'looks, then inserts, and a second insert rejects',
    methods: ({ revocations }, good) => ({
      async revoke(revocation) {
        if (revocations.has(revocation.id)) return { matched: 0 }
        await tick()
        if (revocations.has(revocation.id)) throw new Error('duplicate key')
        return await good.revoke(revocation)
      },
    }),
  },
  { rule: 'races.key', fault: 'looks, then inserts', rules: gapAt('key') },
  { rule: 'races.rewrap', fault: 'compares, then sets', rules: gapAt('rewrap') },
  { rule: 'races.usage', fault: 'reads, then writes: a lost update', rules: gapAt('row') },
  { rule: 'races.supersede', fault: 'reads, then writes', rules: gapAt('row') },
  {
    rule: 'races.columns',
    fault: 'a report of use writes the whole row back',
    methods: ({ tokens }, good) => ({
      async recordUsage(usages) {
        const rows = usages.flatMap(({ id }) => ({ ...tokens.get(id) }) as Row)
        await tick()
        for (const row of rows) Object.assign(tokens.get(row.id) ?? {}, row)
        await good.recordUsage(usages)
      },
    }),
  },
  {
    rule: 'races.purge',
    fault: 'counts, then removes',
    methods: ({ tokens }, good) => ({
      async purge(before) {
        const past = [...tokens.values()].filter(({ expiresAt }) => expiresAt <= before.tokens)
        await tick()
        return { ...(await good.purge(before)), tokens: past.length }
      },
    }),
  },
]
