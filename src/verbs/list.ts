/**
 * The token inventory for operators.
 *
 * @module
 */

import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { type Duration, parseDuration } from '../lib/duration.js'
import { DEFAULT_LIMIT, nameText, pageShape, timeField, unknownPosition } from '../lib/query.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import { corruptIdsOf, readCount, readToken, readTokens, recordsOf } from '../store/checked.js'
import type { TokenFilter, TokenRecord } from '../store/store.js'
import { isUlid } from '../token/claims.js'
import type { Core } from './core.js'
import type { TokenInfo, TokenPage } from './inputs.js'
import { editedRows, reportTampered, tampered } from './integrity.js'

const ulid = optional(z.custom<string>(isUlid, 'expected a ULID'))

const flag = optional(z.boolean('expected true or false'))

const filterShape = {
  subject: nameText(1024),
  family: ulid,
  policy: nameText(64),
  audience: nameText(256),
  keyId: nameText(64),
  owner: nameText(256),
  issuedBy: nameText(256),
  revoked: flag,
  expiresBefore: timeField('date.getTime()'),
  unusedSince: optional(
    z.custom<Duration>(
      (value) => parseDuration(value) !== undefined || isoTimeOf(value) !== undefined,
      "expected a duration such as '90d', or a date such as '2026-03-01T00:00:00Z'",
    ),
  ),
  live: flag,
}

const ISO_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z)?$/

function isoTimeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' && ISO_TIME.test(value) ? Date.parse(value) : Number.NaN
  return time >= 0 ? time : undefined
}

const countSchema = strict(filterShape, 'expected an object')

const querySchema = strict({ ...filterShape, ...pageShape }, 'expected an object')

/** What operators see of a record. */
export function infoOf({ tag: _, detailsTag: __, ...info }: TokenRecord): TokenInfo {
  return info
}

/** The record of a token, or `undefined`. Rejects with `ERR_STORE_CORRUPT` for an edited record, and reports it. */
export async function getToken(core: Core, id: string): Promise<TokenInfo | undefined> {
  // An id that is not a ULID belongs to no token.
  if (!isUlid(id)) return undefined
  const record = await core.callStore(() => readToken(core.store, id))
  if (record === undefined) return undefined
  if ((await editedRows(core, [record])).size > 0) throw tampered(core, record)
  return infoOf(record)
}

/** The number of matching token records, including those that a list omits as corrupt. */
export async function countTokens(core: Core, raw: unknown): Promise<number> {
  const { live, unusedSince, ...fields } = parseInput(countSchema, raw)
  const filter = filterOf(core, fields, { live, unusedSince })
  return core.callStore(() => readCount(core.store, filter))
}

/** The fields of a query that depend on the clock. Taken from the parsed query alone, which inherits nothing. */
interface Relative {
  readonly live: boolean | undefined
  readonly unusedSince: Duration | undefined
}

function filterOf(core: Core, fields: TokenFilter, { live, unusedSince }: Relative): TokenFilter {
  const now = core.clock.now()
  const ago = parseDuration(unusedSince)
  const unusedBefore = ago === undefined ? isoTimeOf(unusedSince) : Math.max(0, now - ago)
  return {
    ...fields,
    ...(live === true ? { liveAt: now } : {}),
    ...(unusedBefore === undefined ? {} : { unusedBefore }),
  }
}

// A row that an attacker inserted may have any id, and the next page begins after it.
async function isPosition({ store, callStore }: Core, after: string): Promise<boolean> {
  if (isUlid(after)) return true
  try {
    return (await callStore(() => store.getToken(after))) !== undefined
  } catch (error) {
    if (error instanceof WatchwordError && error.code === 'ERR_STORE_CORRUPT') return true
    throw error
  }
}

/** A page of token records. */
export async function listTokens(core: Core, raw: unknown): Promise<TokenPage> {
  const query = parseInput(querySchema, raw)
  const { limit = DEFAULT_LIMIT, after, order, live, unusedSince, ...fields } = query
  if (after !== undefined && !(await isPosition(core, after))) throw unknownPosition(after)
  const filter = filterOf(core, fields, { live, unusedSince })
  // One extra record shows whether there is a next page.
  const page = {
    limit: limit + 1,
    ...(after === undefined ? {} : { after }),
    ...(order === undefined ? {} : { order }),
  }
  const rows = await core.callStore(() => readTokens(core.store, filter, page))
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const records = recordsOf(shown)
  const edited = await editedRows(core, records)
  for (const record of records) if (edited.has(record.id)) reportTampered(core, record)
  const corrupt = [...corruptIdsOf(shown), ...edited]
  return {
    items: records.filter(({ id }) => !edited.has(id)).map(infoOf),
    ...(rows.length > limit && last !== undefined ? { next: last.id } : {}),
    ...(corrupt.length > 0 ? { corrupt } : {}),
  }
}
