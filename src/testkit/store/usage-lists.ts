/**
 * Reading rows of usage: their texts, their times and their pages.
 *
 * @module
 */
import type { UsageRow } from '../../store/usage.js'
import { present, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'
import { strangeIds, TEXTS } from './texts.js'
import { DAY, rowsOf, usageOf, usageRow, walkRows } from './usage-fixtures.js'

const needs = 'usage'

// Texts of requests come from callers: these may contain any character at all.
const ANYTHING = [...TEXTS, '\0', 'a\0b', '\ud800', 'a\udc00b', '\u0000\u001f"\\', '']

const cut = (text: string, length: number) => [...text].slice(0, length / 2).join('')

/** Rows with every text in every place that takes any text. */
function strangeRows(id: string, life: string): UsageRow[] {
  return ANYTHING.map((text, index) =>
    usageRow(id, life, {
      from: NOW + index * HOUR,
      refused: { [cut(text, 64)]: index, [`x${cut(text, 60)}`]: 1 },
      scopes: [
        { scope: cut(text, 128), uses: index, lastUsedAt: NOW },
        { scope: `${cut(text, 100)} `, uses: 0, lastUsedAt: 0 },
      ],
      callers: [
        { address: cut(text, 64), route: cut(text, 256), userAgent: text, requests: 1 },
        { address: text.slice(0, 30), route: '', userAgent: `${text} `, requests: 1 },
      ],
    }),
  )
}

/** The row with the most and longest texts. */
function widestRow(id: string, life: string, char: string): UsageRow {
  const text = (index: number, length: number) =>
    `${index}:`.padEnd(length - (length % char.length), char).slice(0, length)
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
  return usageRow(id, life, {
    refused: Object.fromEntries(upTo(64).map((index) => [text(index + 100, 64), index])),
    scopes: upTo(64).map((index) => ({
      scope: text(index, 128),
      uses: Number.MAX_SAFE_INTEGER,
      lastUsedAt: NOW,
    })),
    callers: upTo(8).map((index) => ({
      address: text(index, 64),
      route: text(index, 256),
      userAgent: text(index, 256),
      requests: Number.MAX_SAFE_INTEGER,
    })),
  })
}

export const usageListCases: readonly StoreCase[] = [
  {
    rule: 'counters.text',
    title: 'returns codes, scopes and callers exactly, regardless of their content',
    needs,
    async run({ store, make }) {
      const id = make.id()
      const rows = strangeRows(id, make.id())
      await usageOf(store).mergeRows(rows)
      same(await rowsOf(store, [id]), rows, 'the rows')
    },
  },
  {
    rule: 'counters.longest',
    title: 'keeps the greatest number of codes, scopes and callers of the maximum length',
    needs,
    async run({ store, make }) {
      const rows = ['a', 'é', '語', '👩', '\u0001', '"'].map((char) =>
        widestRow(make.id(), make.id(), char),
      )
      await usageOf(store).mergeRows(rows)
      for (const row of rows) same(await rowsOf(store, [row.id]), [row], 'the row')
      await usageOf(store).purge({ foldUntil: NOW + HOUR, removeUntil: 0 })
      for (const row of rows) same(await rowsOf(store, [row.id]), [row], 'the row of the day')
    },
  },
  {
    rule: 'counters.ids',
    title: 'returns the rows of exactly these tokens, and none of an id that cannot exist',
    needs,
    async run({ store, make }) {
      const life = make.id()
      const rows = Array.from({ length: 1100 }, () => usageRow(make.id(), life))
      await usageOf(store).mergeRows(rows.slice(0, 600))
      await usageOf(store).mergeRows(rows.slice(600))
      const ids = rows.map(({ id }) => id)
      const some = rows.filter((_, index) => index % 7 === 0)
      same(await rowsOf(store, make.shuffled(some.map(({ id }) => id))), some, 'every seventh')
      same(await rowsOf(store, ids.slice(0, 1000)), rows.slice(0, 1000), 'a thousand')
      const [first, second] = [present(ids[0], 'an id'), present(ids[1], 'an id')]
      same(await rowsOf(store, [first, first]), [rows[0]], 'an id given twice')
      same(await rowsOf(store, [make.id()]), [], 'an unknown id')
      for (const id of strangeIds(first)) {
        const what = JSON.stringify(id.slice(0, 60))
        same(await rowsOf(store, [id]), [], `the rows of ${what}`)
        same(await rowsOf(store, [id, second]), [rows[1]], `the rows of another and ${what}`)
      }
    },
  },
  {
    rule: 'counters.since',
    title: 'returns the rows whose hour or day ends after a time, to the millisecond',
    needs,
    async run({ store, make }) {
      const [id, life] = [make.id(), make.id()]
      const at = (hours: number) => usageRow(id, life, { from: NOW + hours * HOUR })
      const rows = [at(-1), at(0), at(1), at(24), at(25), at(26)]
      await usageOf(store).mergeRows(rows)
      same(await rowsOf(store, [id], NOW - 1), rows, 'the rows that end at a later time')
      same(await rowsOf(store, [id], NOW), rows.slice(1), 'the rows after the first')
      same(await rowsOf(store, [id], NOW + HOUR - 1), rows.slice(1), 'the rows within an hour')
      same(await rowsOf(store, [id], NOW + HOUR), rows.slice(2), 'the rows after the second')
      same(await rowsOf(store, [id], NOW + 27 * HOUR), [], 'the rows after the last')
      await usageOf(store).purge({ foldUntil: NOW + 26 * HOUR, removeUntil: 0 })
      const froms = async (since: number) =>
        (await rowsOf(store, [id], since)).map(({ from }) => (from - NOW) / HOUR)
      same(await froms(NOW - 1), [-24, 0, 24, 26], 'the days and hours')
      same(await froms(NOW), [0, 24, 26], 'those that end after the first day')
      same(await froms(NOW + DAY - 1), [0, 24, 26], 'those that end within the second day')
      same(await froms(NOW + DAY), [24, 26], 'those that end after the second day')
      same(await froms(NOW + 27 * HOUR), [24], 'the third day, which has not ended')
      same(await froms(NOW + 2 * DAY), [], 'those that end after the third day')
    },
  },
  {
    rule: 'counters.pages',
    title: 'returns every row once, by token, time and life, in pages of any length',
    needs,
    async run({ store, make }) {
      const ids = [make.id(), make.id(), make.id()]
      const first = make.id()
      const lives = [first, make.id()]
      const rows = ids.flatMap((id) =>
        [NOW - HOUR, NOW, NOW + HOUR].flatMap((from) =>
          lives.map((life) => usageRow(id, life, { from })),
        ),
      )
      const stranger = usageRow(make.id(), first)
      await usageOf(store).mergeRows(make.shuffled([...rows, stranger]))
      const asked = [...ids].reverse()
      for (let limit = 1; limit <= rows.length + 1; limit++)
        same(await walkRows(store, asked, limit), rows, `the rows of all pages of ${limit}`)
      for (const [index, { id, from, life }] of rows.entries()) {
        const page = { limit: 4, after: { id, from, life } }
        const found = await usageOf(store).listRows({ ids: asked, since: 0 }, page)
        same(found, rows.slice(index + 1, index + 5), `the page after row ${index}`)
      }
    },
  },
  {
    rule: 'counters.after',
    title: 'begins a page after any row, existing or not',
    needs,
    async run({ store, make }) {
      const ids = [make.id(), make.id()] as const
      const [low, life, high] = [make.id(), make.id(), make.id()] as const
      const rows = ids.flatMap((id) =>
        [NOW, NOW + HOUR].map((from) => usageRow(id, life, { from })),
      )
      await usageOf(store).mergeRows(rows)
      const after = async (id: string, from: number, other: string) => {
        const page = { limit: 9, after: { id, from, life: other } }
        return await usageOf(store).listRows({ ids, since: 0 }, page)
      }
      const [one, two] = ids
      same(await after('', 0, ''), rows, 'after nothing')
      same(await after(one, 0, ''), rows, 'after the token')
      same(await after(one, NOW, low), rows, 'after a missing life before the first')
      same(await after(one, NOW, high), rows.slice(1), 'after a missing life behind the first')
      same(await after(one, NOW + 1, ''), rows.slice(1), 'after a missing time')
      same(await after(one, NOW + DAY, low), rows.slice(2), 'after the last time of the first')
      same(await after(`${one.slice(0, -1)}~`, 0, ''), rows.slice(2), 'after a missing token')
      same(await after(two, NOW + HOUR, low), rows.slice(3), 'before the last row')
      same(await after(two, NOW + HOUR, life), [], 'after the last row')
      same(await after('Z', 0, ''), [], 'after a text greater than every id')
    },
  },
  {
    rule: 'counters.stable',
    title: 'keeps the other pages unaffected by writes between two pages',
    needs,
    async run({ store, make }) {
      const life = make.id()
      const ids = Array.from({ length: 24 }, () => make.id())
      const early = ids.filter((_, index) => index % 3 === 0).map((id) => usageRow(id, life))
      const late = ids.filter((_, index) => index % 3 !== 0).map((id) => usageRow(id, life))
      await usageOf(store).mergeRows(early)
      const pending = make.shuffled(late)
      const rows = await walkRows(store, ids, 2, () =>
        usageOf(store).mergeRows(pending.splice(0, 4)),
      )
      const places = rows.map(({ id }) => id)
      same(places, [...new Set(places)].sort(), 'the ids of all pages, ascending and unique')
      const there = new Set(early.map(({ id }) => id))
      same(
        rows.filter(({ id }) => there.has(id)),
        early,
        'the rows before the first page',
      )
    },
  },
]
