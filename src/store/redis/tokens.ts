/**
 * The store's methods for tokens.
 *
 * @module
 */

import { BATCH, type Run, textOf } from '../../clients/redis/script.js'
import { WatchwordError } from '../../errors.js'
import type { AuditRow } from '../audit.js'
import type { Store, Succession, TokenFilter, TokenListPage, TokenRecord } from '../store.js'
import { auditArgs } from './audit-rows.js'
import * as lua from './lua-tokens.js'
import { detailArgs, tokenArgs, tokenOf } from './rows.js'

type TokenMethods = Pick<
  Store,
  | 'insertTokens'
  | 'getToken'
  | 'listTokens'
  | 'countTokens'
  | 'updateDetails'
  | 'succeed'
  | 'supersede'
  | 'recordUsage'
>

const EQUALITIES = [
  'subject',
  'family',
  'policy',
  'audience',
  'keyId',
  'owner',
  'issuedBy',
] as const

/** The methods for tokens. */
export function tokenMethods(run: Run): TokenMethods {
  return {
    async insertTokens(records, limit, audit) {
      const max = limit === undefined ? '' : String(limit.max)
      const now = limit === undefined ? '' : String(limit.now)
      const rows = [...records.flatMap(tokenArgs), ...auditArgs(audit)]
      for (;;) {
        const { tag } = await run(lua.INSERT_TOKENS, max, now, ...rows)
        if (tag !== 'again') return tag === 'limit' ? 'limit' : 'inserted'
      }
    },
    getToken: (id) => getToken(run, id),
    listTokens: (filter, page) => listTokens(run, filter, page),
    countTokens: (filter) => countTokens(run, filter),
    async updateDetails(id, expected, next, audit) {
      // A lone surrogate is sent as a replacement character, and could match stored text with that.
      if (!id.isWellFormed() || !expected.isWellFormed()) return false
      const rows = [...detailArgs(next), ...auditArgs(audit)]
      const { tag } = await run(lua.UPDATE_DETAILS, id, expected, ...rows)
      return tag === 'done'
    },
    succeed: (id, successor, at, audit) => succeed(run, { id, successor, at, audit }),
    async supersede(id, at, audit) {
      await run(lua.SUPERSEDE, id, String(at), ...auditArgs(audit))
    },
    async recordUsage(usages) {
      for (let at = 0; at < usages.length; at += BATCH) {
        const batch = usages.slice(at, at + BATCH)
        await run(lua.RECORD_USAGE, ...batch.flatMap((usage) => [usage.id, String(usage.at)]))
      }
    },
  }
}

async function getToken(run: Run, id: string): Promise<TokenRecord | undefined> {
  const { tag, rest } = await run(lua.GET_TOKEN, id)
  // A lone surrogate is sent as a replacement character, and could match an id stored with that.
  if (tag === 'missing' || !id.isWellFormed()) return undefined
  return expectId(tokenOf(rest[0]), id)
}

function expectId(record: TokenRecord, id: string): TokenRecord {
  if (record.id !== id) throw corrupt(id)
  return record
}

function corrupt(id: string): WatchwordError {
  return new WatchwordError('ERR_STORE_CORRUPT', 'the redis store holds a broken record', {
    detail: `token ${id}`,
  })
}

/** A filter as arguments, or `undefined` if no stored row can match. */
function filterArgs(filter: TokenFilter): readonly string[] | undefined {
  const equal = EQUALITIES.flatMap((name) => {
    const value = filter[name]
    return value === undefined ? [] : [name, value]
  })
  if (!equal.every((text) => text.isWellFormed())) return undefined
  const { liveAt, supersededAliveAt, expiresBefore, unusedBefore, revoked } = filter
  const flag = revoked === undefined ? '' : String(Number(revoked))
  const given = [liveAt, supersededAliveAt, expiresBefore, unusedBefore]
  const times = given.map((at) => String(at ?? ''))
  return [...times, flag, ...equal]
}

async function listTokens(
  run: Run,
  filter: TokenFilter,
  { after, limit, order }: TokenListPage,
): Promise<TokenRecord[]> {
  const args = filterArgs(filter)
  if (args === undefined) return []
  const isNewest = order === 'newest'
  const start = isNewest ? '+' : '-'
  let from = after === undefined ? start : `(${after}`
  const records: TokenRecord[] = []
  for (;;) {
    const want = String(Math.min(limit - records.length, BATCH))
    const { tag, rest } = await run(lua.LIST_TOKENS, from, isNewest ? '-' : '+', want, ...args)
    records.push(...rest.slice(1).map(tokenOf))
    if (tag === 'end' || records.length >= limit) return records
    from = textOf(rest[0])
  }
}

async function countTokens(run: Run, filter: TokenFilter): Promise<number> {
  const args = filterArgs(filter)
  if (args === undefined) return 0
  let count = 0
  for (let from = '-'; ; ) {
    const { tag, rest } = await run(lua.COUNT_TOKENS, from, '+', String(BATCH), ...args)
    count += Number(textOf(rest[1]))
    if (tag === 'end') return count
    from = textOf(rest[0])
  }
}

/** A rotation: the predecessor, its successor, and when the predecessor ends. */
interface Rotation {
  readonly id: string
  readonly successor: TokenRecord
  readonly at: number | null
  readonly audit: readonly AuditRow[] | undefined
}

async function succeed(run: Run, { id, successor, at, audit }: Rotation): Promise<Succession> {
  const end = at === null ? '' : String(at)
  const rows = [...tokenArgs(successor), ...auditArgs(audit)]
  const { tag, rest } = await run(lua.SUCCEED, id, end, ...rows)
  if (tag === 'broken') throw corrupt(id)
  if (tag === 'succeeded' || tag === 'revoked') return { outcome: tag }
  if (tag === 'missing') return { outcome: tag }
  const predecessor = expectId(tokenOf(rest[0]), id)
  if (tag === 'changed') return { outcome: tag, predecessor }
  return {
    outcome: 'already',
    predecessor,
    successor: expectId(tokenOf(rest[1]), predecessor.successor ?? ''),
  }
}
