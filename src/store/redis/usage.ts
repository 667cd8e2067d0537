/**
 * The store's methods for usage. Rows are summed in this process and replaced by their sum in one step, if none of them
 * has changed: once hours are closed, only another purge changes them.
 *
 * @module
 */
import { type Run, textOf } from '../../clients/redis/script.js'
import type {
  UsageLife,
  UsagePage,
  UsagePurge,
  UsageQuery,
  UsageRow,
  UsageStore,
} from '../usage.js'
import { summable } from '../usage-codec.js'
import { folded, joinedGaps, largestOf, mergedLife, totalOf } from '../usage-sums.js'
import * as lua from './lua-usage.js'
import { lifeOf, lifeText, usageRowOf, usageText } from './usage-rows.js'

// The tokens whose rows one script reads.
const LISTED_TOKENS = 100
const FOLDED_TOKENS = 25
const PAGE = 1000

/** The part of the store. */
export function usageMethods(run: Run): UsageStore {
  return {
    mergeRows: (rows) => mergeRows(run, rows),
    listRows: (query, page) => listRows(run, query, page),
    mergeLife: (life) => mergeLife(run, life),
    listLives: (since) => listLives(run, since),
    purge: (until) => purge(run, until),
  }
}

async function mergeRows(run: Run, rows: readonly UsageRow[]): Promise<number> {
  const args = largestOf(rows, 0).flatMap((row) => [
    row.id,
    String(row.from),
    row.life,
    String(totalOf(row)),
    usageText(row, 'h'),
  ])
  const { rest } = await run(lua.MERGE_ROWS, ...args)
  return Number(textOf(rest[0]))
}

async function listRows(
  run: Run,
  { ids, since }: UsageQuery,
  { after, limit }: UsagePage,
): Promise<UsageRow[]> {
  // A lone surrogate is sent as a replacement character, and could match an id stored with that.
  const asked = [...new Set(ids)].filter((id) => id.isWellFormed()).sort(compareText)
  const from = after === undefined ? asked : asked.filter((id) => compareText(id, after.id) >= 0)
  const rows: UsageRow[] = []
  for (let at = 0; at < from.length && rows.length < limit; at += LISTED_TOKENS) {
    const some = from.slice(at, at + LISTED_TOKENS)
    const start = after !== undefined && some[0] === after.id ? after.from : -1
    const numbers = [since, limit - rows.length, start].map(String)
    const { rest } = await run(lua.LIST_ROWS, ...numbers, ...some)
    for (const [index, id] of some.entries()) {
      const found = rowsOf(id, rest[index]).map(({ row }) => row)
      rows.push(...found.filter((row) => after === undefined || compare(row, after) > 0))
    }
  }
  return rows.slice(0, limit)
}

interface Stored {
  readonly place: string
  readonly text: string
  readonly row: UsageRow
}

/** The rows of a token in a reply of places and contents, in ascending order. */
function rowsOf(id: string, reply: unknown, start = 0): Stored[] {
  const flat = (reply as unknown[]).map(textOf)
  const rows: Stored[] = []
  for (let at = start; at + 1 < flat.length; at += 2) {
    const [place = '', text = ''] = flat.slice(at, at + 2)
    rows.push({ place, text, row: usageRowOf(id, place, text) })
  }
  return rows.sort((a, b) => compare(a.row, b.row))
}

type Place = Pick<UsageRow, 'id' | 'from' | 'life'>

function compare(a: Place, b: Place): number {
  return compareText(a.id, b.id) || a.from - b.from || compareText(a.life, b.life)
}

function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

async function mergeLife(run: Run, report: UsageLife): Promise<void> {
  let stored = ''
  for (;;) {
    const life =
      stored === ''
        ? { ...report, gaps: joinedGaps(report.gaps) }
        : mergedLife(lifeOf(stored), report)
    const { life: id, endedAt } = life
    const ended = endedAt === null ? '' : String(endedAt)
    const { tag, rest } = await run(lua.WRITE_LIFE, id, stored, lifeText(life), ended)
    if (tag === 'done') return
    // Each round that fails was one in which another report succeeded.
    stored = textOf(rest[0])
  }
}

async function listLives(run: Run, since: number): Promise<UsageLife[]> {
  const lives: UsageLife[] = []
  for (let after = ''; ; ) {
    const { rest } = await run(lua.LIST_LIVES, String(since), after, String(PAGE))
    lives.push(...rest.slice(1).map((text) => lifeOf(textOf(text))))
    after = textOf(rest[0])
    if (after === '') return lives
  }
}

async function purge(run: Run, { foldUntil, removeUntil }: UsagePurge): Promise<void> {
  await run(lua.CLOSE_HOURS, String(Math.max(foldUntil, removeUntil)))
  while (await foldBatch(run, foldUntil));
  for (const kind of ['hour', 'day'])
    while ((await run(lua.REMOVE_ROWS, kind, String(removeUntil))).tag === 'more');
  await run(lua.PURGE_LIVES, String(removeUntil))
}

/** Sums the hours of some tokens of the earliest day. Returns whether there may be more. */
async function foldBatch(run: Run, until: number): Promise<boolean> {
  const { tag, rest } = await run(lua.READ_DAY, String(until), String(FOLDED_TOKENS))
  if (tag === 'none') return false
  const day = textOf(rest[0])
  for (const reply of rest.slice(1)) {
    const id = textOf((reply as unknown[])[0])
    const groups = new Map<string, Stored[]>()
    for (const stored of rowsOf(id, reply, 1)) {
      const { life } = stored.row
      groups.set(life, [...(groups.get(life) ?? []), stored])
    }
    for (const [life, group] of groups) {
      if (group.every(({ text }) => text.startsWith('d'))) continue
      const sum = usageText(folded(group.map(({ row }) => summable(row))), 'd')
      const parts = group.flatMap(({ row, text }) => [String(row.from), text])
      await run(lua.REPLACE_ROWS, id, day, life, sum, ...parts)
    }
  }
  return true
}
