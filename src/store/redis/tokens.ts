/**
 * The store's methods for tokens.
 *
 * @module
 */

import { BATCH, type Run, textOf } from '../../clients/redis/script.js'
import { WatchwordError } from '../../errors.js'
import type { Page, Store, Succession, TokenFilter, TokenRecord } from '../store.js'
import * as lua from './lua-tokens.js'
import { tokenArgs, tokenOf } from './rows.js'

type TokenMethods = Pick<
  Store,
  'insertTokens' | 'getToken' | 'listTokens' | 'succeed' | 'supersede' | 'recordUsage'
>

const FILTERS = ['subject', 'family', 'policy', 'audience', 'keyId'] as const

/** The methods for tokens. */
export function tokenMethods(run: Run): TokenMethods {
  return {
    async insertTokens(records, limit) {
      const max = limit === undefined ? '' : String(limit.max)
      const now = limit === undefined ? '' : String(limit.now)
      const rows = records.flatMap(tokenArgs)
      for (;;) {
        const { tag } = await run(lua.INSERT_TOKENS, max, now, ...rows)
        if (tag !== 'again') return tag === 'limit' ? 'limit' : 'inserted'
      }
    },
    getToken: (id) => getToken(run, id),
    listTokens: (filter, page) => listTokens(run, filter, page),
    succeed: (id, successor, at) => succeed(run, id, successor, at),
    async supersede(id, at) {
      await run(lua.SUPERSEDE, id, String(at))
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

async function listTokens(run: Run, filter: TokenFilter, page: Page): Promise<TokenRecord[]> {
  const equal = FILTERS.flatMap((name) => {
    const value = filter[name]
    return value === undefined ? [] : [name, value]
  })
  const times = [filter.liveAt, filter.supersededAliveAt].map((at) => String(at ?? ''))
  const records: TokenRecord[] = []
  let after = page.after ?? ''
  for (;;) {
    const want = String(Math.min(page.limit - records.length, BATCH))
    const { tag, rest } = await run(lua.LIST_TOKENS, after, want, ...times, ...equal)
    records.push(...rest.slice(1).map(tokenOf))
    if (tag === 'end' || records.length >= page.limit) break
    after = textOf(rest[0])
  }
  return equal.every((text) => text.isWellFormed()) ? records : []
}

async function succeed(
  run: Run,
  id: string,
  successor: TokenRecord,
  supersededAt: number | null,
): Promise<Succession> {
  const at = supersededAt === null ? '' : String(supersededAt)
  const { tag, rest } = await run(lua.SUCCEED, id, at, ...tokenArgs(successor))
  if (tag === 'broken') throw corrupt(id)
  if (tag === 'succeeded' || tag === 'revoked') return { outcome: tag }
  if (tag === 'missing') return { outcome: tag }
  const predecessor = expectId(tokenOf(rest[0]), id)
  return {
    outcome: 'already',
    predecessor,
    successor: expectId(tokenOf(rest[1]), predecessor.successor ?? ''),
  }
}
