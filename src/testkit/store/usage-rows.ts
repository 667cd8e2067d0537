/**
 * Rows of usage: absolute counters, of which the larger wins.
 *
 * @module
 */
import type { Store } from '../../store/store.js'
import type { UsageRow } from '../../store/usage.js'
import { holds, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'
import { DAY, FOREVER, rowsOf, UNUSED, usageLife, usageOf, usageRow } from './usage-fixtures.js'

const needs = 'usage'

/** Every method of the part. */
function calls(store: Store): ReadonlyArray<readonly [string, () => Promise<unknown>]> {
  const usage = usageOf(store)
  return [
    ['mergeRows', () => usage.mergeRows([usageRow('a', 'b')])],
    ['listRows', () => usage.listRows({ ids: ['a'], since: 0 }, { limit: 1 })],
    ['mergeLife', () => usage.mergeLife(usageLife('a'))],
    ['listLives', () => usage.listLives(0)],
    ['purge', () => usage.purge({ foldUntil: 0, removeUntil: 0 })],
  ]
}

export const usageRowCases: readonly StoreCase[] = [
  {
    rule: 'counters.exact',
    title: 'returns rows exactly as merged, also of a token without a record',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [id, life] = [make.id(), make.id()]
      const rows: UsageRow[] = [
        usageRow(id, life),
        usageRow(id, life, { from: NOW + HOUR, ...UNUSED }),
        usageRow(id, life, { from: NOW + 2 * HOUR, firstUsedAt: 0, lastUsedAt: 0 }),
        usageRow(id, life, {
          from: NOW + 3 * HOUR,
          requests: Number.MAX_SAFE_INTEGER - 10,
          refused: { revoked: 1, a: 0, ['__proto__']: 2, constructor: 3 },
          others: Number.MAX_SAFE_INTEGER,
        }),
        usageRow(id, life, {
          from: NOW + 4 * HOUR,
          scopes: ['b', 'a', 'B'].map((scope, uses) => ({ scope, uses, lastUsedAt: uses })),
          callers: [
            { address: '', route: '', userAgent: '', requests: 1 },
            { address: '2001:db8::1', route: '', userAgent: 'a', requests: 7 },
          ],
        }),
      ]
      same(await usageOf(store).mergeRows(rows), 0, 'the latest time of any purge')
      same(await rowsOf(other, [id]), rows, 'the rows')
      same(await store.getToken(id), undefined, 'the record of the token')
    },
  },
  {
    rule: 'counters.copies',
    title: 'keeps and returns copies',
    needs,
    async run({ store, make }) {
      const row = usageRow(make.id(), make.id())
      const given = structuredClone(row)
      await usageOf(store).mergeRows([given])
      Object.assign(given.refused, { expired: 99 })
      for (const scope of given.scopes) Object.assign(scope, { uses: 99 })
      for (const what of ['merged', 'returned']) {
        const found = await rowsOf(store, [row.id])
        same(found, [row], `the row after the ${what} one was changed`)
        for (const { refused, callers } of found) {
          Object.assign(refused, { expired: 99 })
          for (const caller of callers) Object.assign(caller, { requests: 99 })
        }
      }
      same(await rowsOf(store, [row.id]), [row], 'the row')
    },
  },
  {
    rule: 'counters.larger',
    title: 'replaces a row as a whole by one with at least as many requests, and by no other',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [id, life] = [make.id(), make.id()]
      let stored: UsageRow | undefined
      const expectAfter = async (what: string, next: Partial<UsageRow>, isStored: boolean) => {
        const row = usageRow(id, life, next)
        if (isStored) stored = row
        await usageOf(other).mergeRows([row])
        same(await rowsOf(store, [id]), [stored], `the row after ${what}`)
      }
      await expectAfter('the first write', {}, true)
      await expectAfter('fewer requests', { requests: 2, others: 0 }, false)
      await expectAfter('fewer rejected requests', { refused: {} }, false)
      await expectAfter('more rejected requests', { refused: { expired: 1, revoked: 9 } }, true)
      await expectAfter('more requests, but fewer in total', { requests: 11 }, false)
      await expectAfter('as many, of other codes', { refused: { revoked: 10 } }, true)
      const { callers, others } = usageRow(id, life, { callers: [], others: 3 })
      await expectAfter('as many', { refused: { revoked: 10 }, callers, others }, true)
      await expectAfter('many more', { requests: 10_000, refused: {}, scopes: [] }, true)
      await expectAfter('less in digits, but fewer', { requests: 999, refused: {} }, false)
    },
  },
  {
    rule: 'counters.retry',
    title: 'counts a repeated write once',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const ids = [make.id(), make.id()]
      const life = make.id()
      const rows = ids.map((id) => usageRow(id, life))
      for (const one of [store, other, store]) await usageOf(one).mergeRows(rows)
      same(await rowsOf(store, ids), rows, 'the rows')
    },
  },
  {
    rule: 'counters.order',
    title: 'keeps the largest row, regardless of the order of the writes',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const life = make.id()
      for (let round = 0; round < 6; round++) {
        const id = make.id()
        const rows = Array.from({ length: 9 }, (_, index) =>
          usageRow(id, life, { requests: index * 60 }),
        )
        for (const [index, row] of make.shuffled(rows).entries())
          await usageOf(index % 2 === 0 ? store : other).mergeRows([row])
        same(await rowsOf(store, [id]), [rows[8]], `the row after round ${round}`)
      }
    },
  },
  {
    rule: 'counters.batch',
    title: 'merges a thousand rows in any order, and counts the largest, last row of each key',
    needs,
    async run({ store, make }) {
      same(await usageOf(store).mergeRows([]), 0, 'the result for no rows')
      const life = make.id()
      const ids = Array.from({ length: 900 }, () => make.id())
      const rows = ids.map((id, index) => usageRow(id, life, { requests: 10 + index }))
      await usageOf(store).mergeRows(rows.slice(0, 450))
      const again = rows.slice(0, 50)
      await usageOf(store).mergeRows([
        ...make.shuffled(rows),
        ...again.map((row) => ({ ...row, others: 77 })),
        ...again.map((row) => ({ ...row, requests: 1 })),
      ])
      const expected = rows.map((row, index) => (index < 50 ? { ...row, others: 77 } : row))
      same(await rowsOf(store, ids), expected, 'the rows')
    },
  },
  {
    rule: 'counters.keys',
    title: 'keeps a row for each token, hour and life',
    needs,
    async run({ store, make }) {
      const [one, two, first, second] = [make.id(), make.id(), make.id(), make.id()]
      const rows = [one, two].flatMap((id) =>
        [NOW, NOW + HOUR, NOW + DAY].flatMap((from) =>
          [first, second].map((life) => usageRow(id, life, { from })),
        ),
      )
      for (const row of make.shuffled(rows)) await usageOf(store).mergeRows([row])
      same(await rowsOf(store, [one, two]), rows, 'the rows')
    },
  },
  {
    rule: 'counters.separate',
    title: 'keeps usage and records apart: removing one leaves the other',
    needs,
    async run({ store, make }) {
      const token = make.token({ expiresAt: NOW - 1 })
      const row = usageRow(token.id, make.id())
      await store.insertTokens([token])
      await usageOf(store).mergeRows([row])
      await usageOf(store).mergeLife(usageLife(row.life))
      same(await store.getToken(token.id), token, 'the record after its usage was merged')
      await store.purge({ tokens: NOW, keys: FOREVER, revocations: FOREVER })
      same(await rowsOf(store, [token.id]), [row], 'the rows after the record was purged')
      await store.insertTokens([token])
      const revocation = make.revocation('subject', 'unknown', { expiresAt: 1 })
      await store.revoke(revocation)
      await usageOf(store).purge({ foldUntil: FOREVER, removeUntil: FOREVER })
      same(await rowsOf(store, [token.id]), [], 'the rows after they were purged')
      same(await store.getToken(token.id), token, 'the record after its usage was purged')
      same(await store.listRevocations({ limit: 9 }), [revocation], 'the revocations after it')
    },
  },
  {
    rule: 'counters.durable',
    title: 'keeps the usage of a durable store after every instance is closed',
    across: 'only',
    needs,
    async run({ store, other, reopen, make }) {
      if (!store.supports.durable) return
      const row = usageRow(make.id(), make.id())
      const life = usageLife(row.life)
      await usageOf(store).purge({ foldUntil: NOW, removeUntil: 5 })
      await usageOf(store).mergeRows([row])
      await usageOf(other).mergeLife(life)
      await Promise.all([store.close(), other.close()])
      const again = await reopen()
      same(await rowsOf(again, [row.id]), [row], 'the rows')
      same(await usageOf(again).listLives(0), [life], 'the lives')
      same(await usageOf(again).mergeRows([]), NOW, 'the latest time of any purge')
    },
  },
  {
    rule: 'counters.closed',
    title: 'returns a promise from every method, which rejects after close',
    needs,
    async run({ store }) {
      for (const when of ['open', 'closed']) {
        for (const [name, call] of calls(store)) {
          let result: unknown
          try {
            result = call()
          } catch (error) {
            holds(false, `${name} of the ${when} store threw ${String(error)}`)
          }
          const outcome = await Promise.resolve(result).then(
            () => 'open',
            (error: unknown) => (error instanceof Error ? 'closed' : String(error)),
          )
          holds(result instanceof Promise, `${name} of the ${when} store returned no promise`)
          same(outcome, when, `the outcome of ${name}`)
        }
        await store.close()
      }
    },
  },
]
