/**
 * The store's methods for restrictions, and their registers as Redis hashes.
 *
 * @module
 */
import { BATCH, type Run, textOf } from '../../clients/redis/script.js'
import type {
  RestrictionPage,
  RestrictionRecord,
  RestrictionStore,
  RestrictionTarget,
  RestrictionWrite,
} from '../restrictions.js'
import { auditArgs } from './audit-rows.js'
import * as lua from './lua-restrictions.js'
import { argsOf, type Columns, recordOf } from './rows.js'

// A register may have a state of 16 KiB, so one script reads fewer of them than of other rows.
const LISTED = 100

const COLUMNS: Columns<RestrictionRecord> = {
  kind: 'text',
  value: 'text',
  revision: 'integer',
  state: 'text',
  family: ['text', null],
  generation: ['integer', null],
  at: 'integer',
  actor: 'text',
  reason: ['text', null],
  expiresAt: 'integer',
  tag: 'text',
}

/** The part of the store. */
export function restrictionMethods(run: Run): RestrictionStore {
  return {
    async read(target) {
      // A lone surrogate is sent as a replacement character, and could match a value stored with that.
      if (!target.value.isWellFormed()) return undefined
      const { tag, rest } = await run(lua.READ_RESTRICTION, nameOf(target))
      return tag === 'none' ? undefined : restrictionOf(rest[0])
    },
    write: async (next, audit): Promise<RestrictionWrite> => {
      const args = [...argsOf(COLUMNS, next), ...auditArgs(audit)]
      const { tag, rest } = await run(lua.WRITE_RESTRICTION, ...args)
      if (tag === 'written') return { outcome: 'written' }
      return { outcome: 'changed', current: rest.length === 0 ? undefined : restrictionOf(rest[0]) }
    },
    list: (page) => list(run, page),
    async purge(until) {
      let removed = 0
      for (;;) {
        const { rest } = await run(lua.PURGE_RESTRICTIONS, String(until))
        const batch = Number(textOf(rest[0]))
        removed += batch
        if (batch < BATCH) return removed
      }
    },
  }
}

async function list(run: Run, { after, limit }: RestrictionPage): Promise<RestrictionRecord[]> {
  const records: RestrictionRecord[] = []
  while (records.length < limit) {
    const last = records.at(-1) ?? after
    const want = Math.min(limit - records.length, LISTED)
    const name = last === undefined ? '' : nameOf(last)
    const { rest } = await run(lua.LIST_RESTRICTIONS, name, String(want))
    records.push(...rest.map(restrictionOf))
    if (rest.length < want) break
  }
  return records
}

/** The register in a reply of alternating names and values. One that is unreadable has only its target. */
export function restrictionOf(reply: unknown): RestrictionRecord {
  const record = recordOf(COLUMNS, reply, {})
  const { id } = recordOf<{ readonly id: string }>({ id: 'text' }, reply, {})
  const colon = id.indexOf(':')
  const target = { kind: id.slice(0, colon), value: id.slice(colon + 1) } as RestrictionTarget
  // The name decides: a list continues after it, and a record of another target is rejected by its tag.
  return { ...record, ...target }
}

// No kind has a colon.
function nameOf({ kind, value }: RestrictionTarget): string {
  return `${kind}:${value}`
}
