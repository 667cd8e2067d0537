/**
 * Changes since an earlier read: all of them, in the store's own commit order.
 *
 * @module
 */
import type { Changes, Revocation, Store, TokenRecord } from '../../store/store.js'
import { atOnce } from './at-once.js'
import { holds, type StoreCase, same } from './case.js'
import { HOUR, MINUTE, NOW } from './fixtures.js'

const ALL = 1000

/** Reads every page after a cursor, and checks that none exceeds the limit. */
async function readAll(store: Store, cursor: string, limit = ALL): Promise<Changes> {
  const revocations: Revocation[] = []
  const superseded: TokenRecord[] = []
  for (let after = cursor; ; ) {
    const page = await store.changes(after, limit)
    const size = page.revocations.length + page.superseded.length
    holds(size <= limit, `a page of at most ${limit} has ${size} items`)
    revocations.push(...page.revocations)
    superseded.push(...page.superseded)
    // The contract does not define the order of items within one read.
    if (!page.more)
      return { revocations: revocations.sort(byId), superseded, cursor: page.cursor, more: false }
    after = page.cursor
  }
}

const start = async (store: Store): Promise<string> => (await store.changes(null, ALL)).cursor

const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1)

const idsOf = (rows: readonly { readonly id: string }[]): string[] =>
  [...new Set(rows.map(({ id }) => id))].sort()

export const changeCases: readonly StoreCase[] = [
  {
    rule: 'changes.start',
    title: 'returns only a cursor without a cursor, positioned after all existing changes',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token()
      await store.insertTokens([token])
      await store.succeed(token.id, make.successor(token), NOW)
      await store.revoke(make.revocation('subject', 'other'))
      const { cursor, restrictions = [], ...rest } = await other.changes(null, 5)
      same(
        [rest, restrictions],
        [{ revocations: [], superseded: [], more: false }, []],
        'the first page',
      )
      const { revocations, superseded, more } = await store.changes(cursor, 5)
      same([revocations, superseded, more], [[], [], false], 'the page after it')
    },
  },
  {
    rule: 'changes.kept',
    title: 'returns a revocation as stored, after every older cursor',
    across: 'also',
    async run({ store, other, make }) {
      const cursor = await start(store)
      const token = make.token()
      await store.insertTokens([token])
      const revocations = [
        make.revocation('token', token.id, { family: token.family, generation: 1, before: 0 }),
        make.revocation('subject', 'unknown', { reason: null }),
        make.revocation('all', '', { before: 0 }),
      ]
      for (const revocation of revocations) await store.revoke(revocation)
      const page = await readAll(other, cursor)
      same(page.revocations, revocations, 'the revocations')
      same(page.superseded, [], 'the records')
      same((await readAll(other, cursor)).revocations, revocations, 'the same cursor again')
      same((await readAll(other, page.cursor)).revocations, [], 'after the newest cursor')
    },
  },
  {
    rule: 'changes.superseded',
    title: 'returns the current record when its end or its successor is set',
    across: 'also',
    async run({ store, other, make }) {
      const [first, ended, quiet] = [make.token(), make.token(), make.token()]
      await store.insertTokens([first, ended, quiet])
      const second = make.successor(first)
      let cursor = await start(store)
      const next = async () => {
        const page = await readAll(other, cursor)
        cursor = page.cursor
        same(page.revocations, [], 'the revocations')
        return idsOf(page.superseded)
      }
      await store.succeed(first.id, second, null)
      same(await next(), [first.id], 'after a rotation that only sets a successor')
      await store.supersede(first.id, NOW + 7)
      const stands = { ...first, successor: second.id, supersededAt: NOW + 7 }
      same((await readAll(other, cursor)).superseded, [stands], 'the current record')
      same(await next(), [first.id], 'after its end was set')
      await store.succeed(second.id, make.successor(second, { issuedAt: NOW + 5 }), NOW + HOUR)
      same(await next(), idsOf([first, second]), "after a rotation that moves a predecessor's end")
      await store.supersede(ended.id, NOW + MINUTE)
      await store.supersede(ended.id, NOW)
      same(await next(), [ended.id], 'after two moves of an end')
      same(await next(), [], 'after nothing')
    },
  },
  {
    rule: 'changes.order',
    title: 'returns later changes after the cursor, regardless of their ids and times',
    across: 'also',
    async run({ store, other, make }) {
      const early = make.revocation('subject', 'early', { at: 1, before: 1 })
      const token = make.token()
      const late = make.revocation('subject', 'late')
      await store.insertTokens([token])
      await store.revoke(late)
      const cursor = await start(other)
      await store.revoke(early)
      await store.supersede(token.id, 1)
      const page = await readAll(other, cursor)
      same(page.revocations, [early], 'the revocations')
      same(idsOf(page.superseded), [token.id], 'the records')
    },
  },
  {
    rule: 'changes.pages',
    title: 'returns pages of at most the limit, with `more` set on all but the last',
    async run({ store, make }) {
      const cursor = await start(store)
      const tokens = make.tokens(5)
      await store.insertTokens(tokens)
      const revocations = Array.from({ length: 4 }, (_, i) => make.revocation('subject', `u${i}`))
      for (const [index, token] of make.shuffled(tokens).entries()) {
        await store.supersede(token.id, NOW + index)
        const revocation = revocations[index]
        if (revocation !== undefined) await store.revoke(revocation)
      }
      for (const limit of [1, 2, 3, 4, 5, 8, 9, 10, ALL]) {
        const { revocations: kept, superseded } = await readAll(store, cursor, limit)
        same(idsOf(kept), idsOf(revocations), `the revocations in pages of ${limit}`)
        same(idsOf(superseded), idsOf(tokens), `the records in pages of ${limit}`)
      }
    },
  },
  {
    rule: 'changes.retry',
    title: 'does not count a repeated revocation or an unmoved end as a change',
    async run({ store, make }) {
      const token = make.token()
      const revocation = make.revocation('subject', 'unknown')
      await store.insertTokens([token])
      await store.supersede(token.id, NOW)
      await store.revoke(revocation)
      const cursor = await start(store)
      await store.revoke(revocation)
      await store.supersede(token.id, NOW + 1)
      await store.supersede(make.id(), NOW)
      const { revocations, superseded } = await readAll(store, cursor)
      same([revocations, superseded], [[], []], 'the changes')
    },
  },
  {
    rule: 'changes.purge',
    title: 'omits purged items only',
    async run({ store, make }) {
      const cursor = await start(store)
      const [past, left] = [make.token({ expiresAt: NOW }), make.token()]
      await store.insertTokens([past, left])
      for (const { id } of [past, left]) await store.supersede(id, NOW)
      const gone = make.revocation('subject', 'gone', { expiresAt: NOW })
      const kept = make.revocation('subject', 'kept')
      for (const revocation of [kept, gone]) await store.revoke(revocation)
      const between = await start(store)
      await store.purge({ tokens: NOW, keys: NOW, revocations: NOW })
      const page = await readAll(store, cursor)
      same([idsOf(page.revocations), idsOf(page.superseded)], [[kept.id], [left.id]], 'the changes')
      const next = make.revocation('subject', 'next')
      await store.revoke(next)
      const after = (await readAll(store, between)).revocations
      holds(idsOf(after).includes(next.id), 'changes after the purge')
    },
  },
  {
    rule: 'changes.races',
    title: 'omits nothing for a reader that continues from cursor to cursor during writes',
    across: 'also',
    async run({ store, other, make }) {
      const tokens = make.tokens(40)
      await store.insertTokens(tokens)
      const revocations = Array.from({ length: 20 }, (_, i) => make.revocation('subject', `u${i}`))
      const seen = { revocations: new Set<string>(), superseded: new Set<string>() }
      let cursor = await start(store)
      let isWriting = true
      const look = async () => {
        const page = await readAll(store, cursor, 7)
        cursor = page.cursor
        for (const { id } of page.revocations) seen.revocations.add(id)
        for (const { id } of page.superseded) seen.superseded.add(id)
      }
      const read = async () => {
        while (isWriting) {
          await look()
          // A store without I/O would never yield to the other calls.
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      const write = async () => {
        const work = make.shuffled([
          ...tokens.map(
            (token) =>
              (one: Store): Promise<unknown> =>
                one.succeed(token.id, make.successor(token), NOW),
          ),
          ...revocations.map((revocation) => (one: Store) => one.revoke(revocation)),
        ])
        await atOnce([store, other], work, (one, each) => each(one)).finally(() => {
          isWriting = false
        })
      }
      await Promise.all([read(), write()])
      await look()
      same([...seen.revocations].sort(), idsOf(revocations), 'the revocations read')
      same([...seen.superseded].sort(), idsOf(tokens), 'the records read')
    },
  },
]
