/**
 * The store's methods for revocations, wrapped keys, changes and purging.
 *
 * @module
 */

import { BATCH, type Run, type Script, textOf } from '../../clients/redis/script.js'
import type { Changes, KeyRecord, Page, PurgeBefore, Purged, Revocation, Store } from '../store.js'
import { auditArgs } from './audit-rows.js'
import { INSERT_KEY, LIST_KEYS, PURGE_KEYS, REWRAP_KEY } from './lua-keys.js'
import { CHANGES, LIST_REVOCATIONS, PURGE_REVOCATIONS, REVOKE, SETTLE } from './lua-revocations.js'
import { PURGE_TOKENS } from './lua-tokens.js'
import { restrictionOf } from './restrictions.js'
import { keyArgs, keyOf, revocationArgs, revocationOf, tokenOf } from './rows.js'

type OtherMethods = Pick<
  Store,
  'revoke' | 'changes' | 'listRevocations' | 'insertKey' | 'listKeys' | 'rewrapKey' | 'purge'
>

// A revocation takes effect when it is stored; marking rows is housekeeping. Bounded, so a call stays within its
// deadline. The next revocation or purge continues.
const SETTLE_BATCHES = 20

/** All methods except those for tokens. */
export function otherMethods(run: Run): OtherMethods {
  return {
    async revoke(revocation, audit) {
      const { tag, rest } = await run(REVOKE, ...revocationArgs(revocation), ...auditArgs(audit))
      const matched = Number(textOf(rest[0]))
      return { matched: tag === 'more' ? await settle(run, revocation.id) : matched }
    },
    changes: (after, limit) => readChanges(run, after, limit),
    listRevocations: (page) => listRevocations(run, page),
    async insertKey(record, audit) {
      const { tag } = await run(INSERT_KEY, ...keyArgs(record), ...auditArgs(audit))
      return tag === 'inserted'
    },
    listKeys: () => listKeys(run),
    async rewrapKey(id, expected, { wrapped, wrappedBy }, audit) {
      const { tag } = await run(REWRAP_KEY, id, expected, wrapped, wrappedBy, ...auditArgs(audit))
      return tag === 'done'
    },
    purge: (before) => purge(run, before),
  }
}

async function settle(run: Run, id = ''): Promise<number> {
  for (let batch = 1; ; batch++) {
    const { tag, rest } = await run(SETTLE, id)
    if (tag === 'settled' || batch === SETTLE_BATCHES) return Number(textOf(rest[0]))
  }
}

// A number, a score and a member, in that order: only the last may contain any character.
const CURSOR = /^(\d+)\.(\d+)\.(.*)$/s

async function readChanges(run: Run, after: string | null, limit: number): Promise<Changes> {
  const place = after === null ? ['', '', ''] : (CURSOR.exec(after)?.slice(1) ?? ['0', '0', ''])
  const { rest } = await run(CHANGES, ...place, String(Math.min(limit, BATCH)))
  const [number, score, member, more, revocations, tokens, registers] = rest
  return {
    revocations: (revocations as unknown[]).map(revocationOf),
    superseded: (tokens as unknown[]).map(tokenOf),
    restrictions: (registers as unknown[]).map(restrictionOf),
    cursor: [number, score, member].map(textOf).join('.'),
    more: textOf(more) === '1',
  }
}

async function listRevocations(run: Run, page: Page): Promise<Revocation[]> {
  const records: Revocation[] = []
  while (records.length < page.limit) {
    const after = records.at(-1)?.id ?? page.after ?? ''
    const want = Math.min(page.limit - records.length, BATCH)
    const rows = await readPage(run, LIST_REVOCATIONS, after, want)
    records.push(...rows.map(revocationOf))
    if (rows.length < want) break
  }
  return records
}

async function listKeys(run: Run): Promise<KeyRecord[]> {
  const records: KeyRecord[] = []
  for (;;) {
    const rows = await readPage(run, LIST_KEYS, records.at(-1)?.id ?? '', BATCH)
    records.push(...rows.map(keyOf))
    if (rows.length < BATCH) return records
  }
}

async function readPage(
  run: Run,
  script: Script,
  after: string,
  want: number,
): Promise<readonly unknown[]> {
  const { rest } = await run(script, after, String(want))
  return rest
}

async function purge(run: Run, before: PurgeBefore): Promise<Purged> {
  await settle(run)
  return {
    tokens: await purgeBatches(run, PURGE_TOKENS, before.tokens),
    keys: await purgeBatches(run, PURGE_KEYS, before.keys),
    revocations: await purgeBatches(run, PURGE_REVOCATIONS, before.revocations),
  }
}

async function purgeBatches(run: Run, script: Script, before: number): Promise<number> {
  let removed = 0
  for (;;) {
    const { rest } = await run(script, String(before))
    const batch = Number(textOf(rest[0]))
    removed += batch
    if (batch < BATCH) return removed
  }
}
