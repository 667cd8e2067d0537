/**
 * Full write access to the audit of a database, as an attacker has it.
 *
 * @module
 */
import type { Redis } from 'ioredis'
import { AUDIT_FIELDS } from '../../src/store/redis/audit-rows.js'
import type { RawAudit, RawRow } from './audit-attacks.js'
import type { RawAccess } from './audit-scene.js'

/** How statements run in an SQL database. */
export interface SqlAccess {
  /** Runs a statement. `values` are bound in the order of the list. */
  run(statement: string, values?: readonly (string | number | null)[]): Promise<readonly RawRow[]>
  /** The placeholder of the nth value of a statement, from 1. */
  mark(n: number): string
}

const COLUMNS = [
  ...['id', 'written_at', 'action', 'actor', 'subject', 'subject_hash'],
  ...['token', 'family', 'body', 'tag', 'idx', 'hash', 'place'],
]
const NUMBERS = new Set(['written_at', 'idx', 'n'])
const BATCH = 50

const plain = (row: RawRow): RawRow =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      NUMBERS.has(name) && value !== null ? Number(value) : value,
    ]),
  )

/** Access by SQL. */
export function sqlAudit({ run, mark }: SqlAccess): RawAccess {
  return {
    async readAll() {
      const names = COLUMNS.join(', ')
      const found = await run(`SELECT ${names} FROM watchword_audit ORDER BY idx, id`)
      const all = found.map(plain)
      const [head] = (await run('SELECT n, state FROM watchword_audit_head')).map(plain)
      return {
        rows: all.filter(({ idx }) => idx !== null),
        pending: all.filter(({ idx }) => idx === null),
        head:
          head === undefined ? undefined : { n: Number(head['n']), state: String(head['state']) },
      }
    },
    async writeAll({ rows, pending, head }) {
      const all = [...rows, ...pending]
      await run('BEGIN')
      await run('DELETE FROM watchword_audit')
      await run('DELETE FROM watchword_audit_head')
      for (let from = 0; from < all.length; from += BATCH) {
        const batch = all.slice(from, from + BATCH)
        const values = batch.flatMap((row) => COLUMNS.map((name) => row[name] ?? null))
        const marks = batch.map(
          (_, i) => `(${COLUMNS.map((__, k) => mark(i * COLUMNS.length + k + 1))})`,
        )
        await run(`INSERT INTO watchword_audit (${COLUMNS}) VALUES ${marks}`, values)
      }
      if (head !== undefined)
        await run(
          `INSERT INTO watchword_audit_head (id, n, state) VALUES (0, ${mark(1)}, ${mark(2)})`,
          [head.n, head.state],
        )
      await run('COMMIT')
    },
  }
}

// Without the time, which is a number in the rows of an attack.
const FIELDS = AUDIT_FIELDS.filter((name) => name !== 'at')
const HIDDEN = 'x'

/**
 * Access by Redis commands. `subject_hash`, by which a row is found by its subject, is here the subject of the list that
 * contains it; a row without a subject that has one is missing in the list of all rows.
 */
export function redisAudit(client: Redis, prefix: string): RawAccess {
  const key = (name: string) => `{${prefix}}:${name}`

  /** The ids of sorted sets, in one round trip. */
  async function members(names: readonly string[]): Promise<string[][]> {
    const batch = client.pipeline()
    for (const name of names) batch.zrange(name, '0', '-1')
    return ((await batch.exec()) ?? []).map(([, ids]) => ids as string[])
  }

  async function readAll(): Promise<RawAudit> {
    const prefixOfList = key('audits-by-subject:')
    const lists = await client.keys(`${prefixOfList}*`)
    const fixed = ['audit-leaves', 'audit-pending', 'audits'].map(key)
    const [leaves = [], waiting = [], all = [], ...listed] = await members([...fixed, ...lists])
    const subjectOf = new Map<string, string>()
    for (const [i, ids] of listed.entries())
      for (const id of ids) subjectOf.set(id, (lists[i] ?? '').slice(prefixOfList.length))
    const batch = client.pipeline()
    for (const id of [...leaves, ...waiting]) {
      batch.hgetall(key(`audit:${id}`))
      batch.zscore(key('audit-leaves'), id)
    }
    const replies = ((await batch.exec()) ?? []).map(([, reply]) => reply)
    const rows = [...leaves, ...waiting].map((id, i): RawRow => {
      const stored = replies[2 * i] as Record<string, string>
      const index = replies[2 * i + 1] as string | null
      const isHidden = stored['body'] !== undefined && !all.includes(id)
      return {
        ...Object.fromEntries(FIELDS.map((name) => [name, stored[name] ?? null])),
        written_at: Number(stored['at']),
        subject_hash: subjectOf.get(id) ?? (isHidden ? HIDDEN : null),
        idx: index === null ? null : Number(index),
      }
    })
    const { size, state = '' } = await client.hgetall(key('audit-head'))
    return {
      rows: rows.slice(0, leaves.length),
      pending: rows.slice(leaves.length),
      head: size === undefined ? undefined : { n: Number(size), state },
    }
  }

  return {
    readAll,
    async writeAll({ rows, pending, head }) {
      const batch = client.multi()
      for (const name of await client.keys(key('audit*'))) batch.del(name)
      for (const row of [...rows, ...pending]) {
        const id = String(row['id'])
        const stored = FIELDS.filter((name) => (row[name] ?? null) !== null)
        const fields = stored.flatMap((name) => [name, String(row[name])])
        batch.hset(key(`audit:${id}`), 'at', String(row['written_at']), ...fields)
        if (row['idx'] === null) batch.zadd(key('audit-pending'), 0, id)
        else batch.zadd(key('audit-leaves'), String(row['idx']), id)
        const { subject = null, subject_hash: list = null, token = null, body = null } = row
        if (body === null) continue
        if (subject !== null || list === null) batch.zadd(key('audits'), 0, id)
        if (list !== null) batch.zadd(key(`audits-by-subject:${list}`), 0, id)
        if (token !== null) batch.zadd(key(`audits-by-token:${token}`), 0, id)
      }
      if (head !== undefined)
        batch.hset(key('audit-head'), 'size', String(head.n), 'state', head.state)
      for (const [error] of (await batch.exec()) ?? []) if (error !== null) throw error
    },
  }
}
