/**
 * Keyset pages.
 *
 * @module
 */
import type { Page } from '../../store/store.js'
import { holds, present, type StoreCase, same } from './case.js'
import { NOW } from './fixtures.js'

const idsOf = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id)

type List = (page: Page) => Promise<readonly { readonly id: string }[]>

/** Walks every page; the bound ends an endless loop. */
async function walk(list: List, limit: number, between?: () => Promise<unknown>) {
  const ids: string[] = []
  let after: string | undefined
  for (let pages = 0; pages < 200; pages++) {
    const page = await list(after === undefined ? { limit } : { limit, after })
    holds(page.length <= limit, `a page has ${page.length} items, but the limit is ${limit}`)
    ids.push(...idsOf(page))
    after = page.at(-1)?.id
    if (after === undefined || page.length < limit) return ids
    await between?.()
  }
  holds(false, 'the pages do not end')
}

async function expectPages(list: List, all: readonly string[]): Promise<void> {
  same(idsOf(await list({ limit: all.length + 1 })), all, 'one page with room to spare')
  for (let limit = 1; limit <= all.length; limit++) {
    same(await walk(list, limit), all, `the ids of all pages of ${limit}`)
  }
  for (const [index, id] of all.entries()) {
    const rest = all.slice(index + 1, index + 4)
    same(idsOf(await list({ limit: 3, after: id })), rest, `the page after item ${index}`)
  }
}

async function expectAfter(list: List, all: readonly string[]): Promise<void> {
  const [first, last] = [present(all[0], 'the first id'), present(all.at(-1), 'the last id')]
  same(idsOf(await list({ limit: 99, after: '' })), all, 'after the empty text')
  same(idsOf(await list({ limit: 99, after: '0' })), all, 'after a text less than every id')
  same(idsOf(await list({ limit: 99, after: 'Z' })), [], 'after a text greater than every id')
  same(idsOf(await list({ limit: 99, after: last })), [], 'after the last id')
  const between = `${first.slice(0, -1)}~`
  const expected = all.filter((id) => id > between)
  same(idsOf(await list({ limit: 99, after: between })), expected, 'after a missing id')
  // In binary order, lower case letters come after upper case ones.
  const lower = all.filter((id) => id > first.toLowerCase())
  same(
    idsOf(await list({ limit: 99, after: first.toLowerCase() })),
    lower,
    'after lower case letters',
  )
}

export const pageCases: readonly StoreCase[] = [
  {
    rule: 'lists.order',
    title: 'returns tokens in ascending order of id, regardless of the order of insertion',
    async run({ store, make }) {
      const records = make.tokens(12)
      for (const record of make.shuffled(records)) await store.insertTokens([record])
      same(await store.listTokens({}, { limit: 99 }), records, 'the tokens')
      same(await store.listTokens({}, { limit: 5 }), records.slice(0, 5), 'the first five')
      const filter = { subject: 'user:1', liveAt: NOW }
      same(await store.listTokens(filter, { limit: 99 }), records, 'the live tokens of the subject')
    },
  },
  {
    rule: 'lists.pages',
    title: 'returns every token once in pages of any length',
    async run({ store, make }) {
      const mine = make.tokens(9)
      const others = make.tokens(9, { subject: 'user:2' })
      await store.insertTokens(make.shuffled([...mine, ...others]))
      const all = idsOf([...mine, ...others])
      await expectPages((page) => store.listTokens({}, page), all)
      await expectPages((page) => store.listTokens({ subject: 'user:2' }, page), idsOf(others))
      await expectPages((page) => store.listTokens({ liveAt: NOW }, page), all)
    },
  },
  {
    rule: 'lists.after',
    title: 'begins a page after any text, existing or not, in binary order',
    async run({ store, make }) {
      const records = make.tokens(5)
      await store.insertTokens(records)
      await expectAfter((page) => store.listTokens({}, page), idsOf(records))
      const filter = { subject: 'user:1' }
      await expectAfter((page) => store.listTokens(filter, page), idsOf(records))
    },
  },
  {
    rule: 'lists.insertion',
    title: 'keeps the other pages unaffected by inserts between two pages',
    async run({ store, make }) {
      const all = make.tokens(40)
      const early = all.filter((_, index) => index % 4 === 0)
      const late = make.shuffled(all.filter((_, index) => index % 4 !== 0))
      await store.insertTokens(early)
      const seen = await walk(
        (page) => store.listTokens({}, page),
        3,
        () => store.insertTokens(late.splice(0, 5)),
      )
      expectEveryEarly(seen, idsOf(early))
    },
  },
  {
    rule: 'lists.insertion',
    title: 'keeps pages unaffected by inserts during a page',
    across: 'also',
    async run({ store, other, make }) {
      const all = make.tokens(60)
      const early = all.filter((_, index) => index % 3 === 0)
      const late = make.shuffled(all.filter((_, index) => index % 3 !== 0))
      await store.insertTokens(early)
      const [seen, filtered] = await Promise.all([
        walk((page) => store.listTokens({}, page), 4),
        walk((page) => store.listTokens({ subject: 'user:1', liveAt: NOW }, page), 3),
        ...late.map((record) => other.insertTokens([record])),
      ])
      expectEveryEarly(seen as string[], idsOf(early))
      expectEveryEarly(filtered as string[], idsOf(early))
    },
  },
]

function expectEveryEarly(seen: readonly string[], early: readonly string[]): void {
  same(seen, [...new Set(seen)].sort(), 'the ids of all pages, ascending and unique')
  const there = new Set(early)
  const found = seen.filter((id) => there.has(id))
  same(found, early, 'the ids that existed before the first page')
}
