/**
 * The boundary to the part of a store that keeps usage: its rows are parsed before use.
 *
 * @module
 */
import * as z from 'zod/mini'
import { bare } from '../lib/fields.js'
import { corruptRow } from './checked.js'
import type { UsageLife, UsageRow, UsageStore } from './usage.js'

const whole = z.number().check(z.int(), z.nonnegative())
const maybeTime = z.nullable(whole)

const rowSchema = z.object({
  id: z.string(),
  from: whole,
  life: z.string(),
  requests: whole,
  refused: z.record(z.string(), whole),
  firstUsedAt: maybeTime,
  lastUsedAt: maybeTime,
  scopes: z.array(z.object({ scope: z.string(), uses: whole, lastUsedAt: whole })),
  callers: z.array(
    z.object({
      address: z.string(),
      route: z.string(),
      userAgent: z.string(),
      requests: whole,
    }),
  ),
  others: whole,
})

const lifeSchema = z.object({
  life: z.string(),
  node: z.string(),
  from: whole,
  to: whole,
  endedAt: maybeTime,
  gaps: z.array(z.object({ from: whole, to: whole })),
})

/** The maximum number of rows of one page. One token has fewer, so its rows are read in one step of the store. */
const PAGE = 10_000
/** The maximum number of tokens of one query. */
const MAX_IDS = 1000

/**
 * Reads all rows of these tokens. Rejects with `ERR_STORE_CORRUPT`.
 *
 * The store may fold hours into days at any time, and a row of a day comes before those of its hours. The rows of one
 * token are therefore read in one step where they fit into a page.
 */
export async function readUsageRows(
  part: Pick<UsageStore, 'listRows'>,
  ids: readonly string[],
  since: number,
): Promise<readonly UsageRow[]> {
  if (ids.length > MAX_IDS) return readHalves(part, ids, since)
  const rows = await readPage(part, ids, since)
  if (rows.length < PAGE) return rows
  return ids.length > 1 ? readHalves(part, ids, since) : readRest(part, ids, since, rows)
}

async function readHalves(
  part: Pick<UsageStore, 'listRows'>,
  ids: readonly string[],
  since: number,
): Promise<readonly UsageRow[]> {
  const middle = Math.ceil(ids.length / 2)
  const first = await readUsageRows(part, ids.slice(0, middle), since)
  return [...first, ...(await readUsageRows(part, ids.slice(middle), since))]
}

async function readRest(
  part: Pick<UsageStore, 'listRows'>,
  ids: readonly string[],
  since: number,
  first: readonly UsageRow[],
): Promise<readonly UsageRow[]> {
  const rows = [...first]
  let last = first.at(-1)
  while (last !== undefined) {
    const page = await readPage(part, ids, since, last)
    rows.push(...page)
    last = page.length < PAGE ? undefined : page.at(-1)
  }
  return rows
}

async function readPage(
  part: Pick<UsageStore, 'listRows'>,
  ids: readonly string[],
  since: number,
  last?: UsageRow,
): Promise<readonly UsageRow[]> {
  const after = last && bare({ id: last.id, from: last.from, life: last.life })
  const page = bare({ limit: PAGE, ...(after === undefined ? {} : { after }) })
  const rows: readonly unknown[] = await part.listRows(bare({ ids, since }), page)
  const asked = new Set(ids)
  return rows.map((row) => {
    const parsed = rowSchema.safeParse(row)
    if (!parsed.success || !asked.has(parsed.data.id)) throw corruptRow('usage of', ids.join())
    return parsed.data
  })
}

/** Reads the lives that have not ended, or that ended after this time. Rejects with `ERR_STORE_CORRUPT`. */
export async function readLives(
  part: Pick<UsageStore, 'listLives'>,
  since: number,
): Promise<readonly UsageLife[]> {
  const lives: readonly unknown[] = await part.listLives(since)
  return lives.map((life) => {
    const parsed = lifeSchema.safeParse(life)
    if (!parsed.success) throw corruptRow('life of', 'usage')
    return parsed.data
  })
}
