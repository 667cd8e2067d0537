/**
 * What an attacker with full write access to the database does to the audit, and what a verification must say about it.
 *
 * @module
 */
import { hash } from 'node:crypto'

/** One row of the table, by column. */
export type RawRow = Readonly<Record<string, string | number | null>>

/** The tables of the audit: rows of the tree by index, pending rows, and the row of the head. */
export interface RawAudit {
  readonly rows: readonly RawRow[]
  readonly pending: readonly RawRow[]
  readonly head: { readonly n: number; readonly state: string } | undefined
}

/** What must be found. */
export interface Expected {
  readonly index: number | null
  readonly what: string
  /** The id of the row, if the database still has it. */
  readonly id?: unknown
  /** Only a node that lived before finds it: a checkpoint says nothing about rows that it does not contain. */
  readonly byNodesOnly?: boolean
  /** What a node says that did not write the row, if that differs. */
  readonly elsewhere?: string
}

/** The audit after an attack, and what must be found. */
export interface Attacked {
  readonly audit: RawAudit
  readonly expected: Expected
}

/** The subject of the pending rows that are attacked. */
export const PENDING_SUBJECT = 'svc_pending'

/** Numbers that choose where and how. */
export interface Choice {
  readonly a: number
  readonly b: number
  readonly c: number
}

/** An attack. `older`: copies of the database from before, oldest first. */
export type Attack = (audit: RawAudit, choice: Choice, older: readonly RawAudit[]) => Attacked

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T

const hashOf = (body: string) => hash('sha256', body, 'hex')

/** Flips one character of a text. */
function flipped(text: string, n: number): string {
  const at = n % text.length
  const other = text[at] === 'A' ? 'B' : 'A'
  return text.slice(0, at) + other + text.slice(at + 1)
}

/** A seal that names a key which no authority has. */
function withOtherKey(seal: string): string {
  const parts = seal.split('.')
  const footer = Buffer.from(parts.pop() ?? '', 'base64url').toString()
  const other = footer.replace(/.{4}"\}$/, 'AAAA"}')
  return [...parts, Buffer.from(other).toString('base64url')].join('.')
}

/** Replaces the actor everywhere, and computes the hash anew, as someone who knows the format would. */
function withActor(row: RawRow, actor: string): RawRow {
  const body = JSON.stringify({ ...JSON.parse(String(row['body'])), actor })
  return { ...row, actor, body, hash: hashOf(body) }
}

const EDITS: readonly ((row: RawRow, n: number) => RawRow)[] = [
  (row) => ({ ...row, actor: `${row['actor']}x` }),
  (row) => ({ ...row, action: row['action'] === 'revoked' ? 'token.issued' : 'revoked' }),
  (row) => ({ ...row, subject: row['subject'] === null ? 'x' : null }),
  (row) => ({ ...row, subject_hash: 'x' }),
  (row) => ({ ...row, token: row['token'] === null ? 'x' : null }),
  (row) => ({ ...row, family: row['family'] === null ? 'x' : null }),
  (row, n) => ({ ...row, body: flipped(String(row['body']), n) }),
  (row) => ({ ...row, body: String(row['body']).replace('{', '{ ') }),
  (row, n) => ({ ...row, tag: flipped(String(row['tag']), n) }),
  (row) => ({ ...row, written_at: Number(row['written_at']) + 1 }),
  (row) => withActor(row, 'eve'),
  (row) => ({ ...row, body: null, tag: null, actor: null, action: null, subject: null }),
  (row) => ({ ...row, id: `${String(row['id']).slice(0, -1)}~` }),
  (row) => ({ ...row, hash: hashOf('x') }),
]

const CONTENT = ['action', 'actor', 'subject', 'subject_hash', 'token', 'family', 'body', 'tag']

/** Without its content, and as old as rows that were purged. No key opens the place that says otherwise. */
function wiped(row: RawRow): RawRow {
  const gone = Object.fromEntries(CONTENT.map((name) => [name, null]))
  return { ...row, ...gone, written_at: 0, place: withOtherKey(String(row['place'])) }
}

/** The same, stored as versions did that left the time out of leaves: the leaf is the one that it was. */
function wipedAsBefore(row: RawRow): RawRow {
  const { written_at: at, hash: content, place } = row
  const leaf = hash('sha256', `\0${UNTIMED}:${at}:${content}`, 'hex')
  return wiped({ ...row, hash: leaf, place: String(place).slice(TIMED.length) })
}

const TIMED = '2.'
// The number of rows of such versions in the tree.
const UNTIMED = 0

const WIPES: readonly ((row: RawRow) => RawRow)[] = [wiped, wipedAsBefore]

const replaced = (rows: readonly RawRow[], at: number, row: RawRow): RawRow[] =>
  rows.map((each, i) => (i === at ? row : each))

const numbered = (rows: readonly RawRow[]): RawRow[] => rows.map((row, idx) => ({ ...row, idx }))

/** A row that the authority did not write, of which `like` is the model. */
function forged(like: RawRow, n: number): RawRow {
  const id = `01ZZZZZZZZZZZZZZZZZZZZ${String(n % 10_000).padStart(4, '0')}`
  const body = JSON.stringify({ ...JSON.parse(String(like['body'])), actor: 'eve', row: id })
  const row = { ...like, id, actor: 'eve', body, hash: hashOf(body) }
  const [tag, place] = [String(like['tag']), String(like['place'])]
  return pick(
    [
      row,
      { ...row, tag: 'x', place: 'x' },
      { ...row, tag: withOtherKey(tag), place: withOtherKey(place) },
    ],
    n,
  )
}

const HEADS: readonly ((
  audit: RawAudit,
  n: number,
  older: readonly RawAudit[],
) => RawAudit['head'])[] = [
  ({ head }, n) => ({ n: (head?.n ?? 0) - 1 - (n % 5), state: head?.state ?? '' }),
  ({ head }, n) => ({ n: (head?.n ?? 0) + 1 + (n % 5), state: head?.state ?? '' }),
  ({ head }, n) => ({ n: head?.n ?? 0, state: flipped(head?.state ?? '', n) }),
  ({ head }) => ({ n: head?.n ?? 0, state: withOtherKey(head?.state ?? '') }),
  ({ head }) => ({ n: head?.n ?? 0, state: '' }),
  ({ head }, n, older) => ({ n: head?.n ?? 0, state: pick(older, n).head?.state ?? '' }),
  (_, n, older) => pick(older, n).head,
]

// The node that lives through all attacks has written these. Other rows are what some node has noticed of an attack.
function ownPending({ pending }: RawAudit, n: number): number {
  const own = pending.filter(({ subject }) => subject === PENDING_SUBJECT)
  return pending.indexOf(pick(own, n))
}

/** Every kind of attack. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  'edit a row': (audit, { a, b, c }) => {
    const at = a % audit.rows.length
    const row = pick(EDITS, b)(audit.rows[at] as RawRow, c)
    return {
      audit: { ...audit, rows: replaced(audit.rows, at, row) },
      expected: { index: at, what: 'edited', id: row['id'] },
    }
  },
  'edit the place of a row': (audit, { a, c }) => {
    const at = a % audit.rows.length
    const row = audit.rows[at] as RawRow
    const place = flipped(String(row['place']), c)
    return {
      audit: { ...audit, rows: replaced(audit.rows, at, { ...row, place }) },
      expected: { index: at, what: 'moved', id: row['id'] },
    }
  },
  'swap two rows': (audit, { a, b, c }) => {
    const { rows } = audit
    const low = a % (rows.length - 1)
    const high = low + 1 + (b % (rows.length - 1 - low))
    const [first, second] = [rows[low] as RawRow, rows[high] as RawRow]
    // With or without the seal of the place.
    const place = (from: RawRow) => (c % 2 === 0 ? {} : { place: from['place'] as string })
    const moved: RawRow = { ...second, idx: low, ...place(first) }
    const other: RawRow = { ...first, idx: high, ...place(second) }
    return {
      audit: { ...audit, rows: replaced(replaced(rows, low, moved), high, other) },
      expected: { index: low, what: 'moved', id: moved['id'] },
    }
  },
  'move a row to the front': (audit, { a, b }) => {
    const rows = [...audit.rows]
    const from = 1 + (a % (rows.length - 1))
    const to = b % from
    const [row] = rows.splice(from, 1) as [RawRow]
    rows.splice(to, 0, row)
    return {
      audit: { ...audit, rows: numbered(rows) },
      expected: { index: to, what: 'moved', id: row['id'] },
    }
  },
  'insert a row': (audit, { a, b, c }) => {
    const at = a % (audit.rows.length + 1)
    const row = forged(pick(audit.rows, b), c)
    const rows = numbered([...audit.rows.slice(0, at), row, ...audit.rows.slice(at)])
    const { n = 0, state = '' } = audit.head ?? {}
    const head = b % 2 === 0 ? audit.head : { n: n + 1, state }
    return {
      audit: { ...audit, rows, head },
      expected: { index: at, what: 'inserted', id: row['id'] },
    }
  },
  'delete a row': (audit, { a, b }) => {
    const at = a % audit.rows.length
    const rest = audit.rows.filter((_, i) => i !== at)
    const next = rest[at]
    const isClosed = b % 2 === 0 && next !== undefined
    return {
      audit: { ...audit, rows: isClosed ? numbered(rest) : rest },
      expected: isClosed
        ? { index: at, what: 'moved', id: next['id'] }
        : { index: at, what: 'missing', id: null },
    }
  },
  'cut the tail': (audit, { a, b, c }, older) => {
    const left = a % audit.rows.length
    const { n = 0, state = '' } = audit.head ?? {}
    const heads = [
      { n, state },
      { n: left, state },
      { n: left, state: flipped(state, c) },
      undefined,
    ]
    return {
      audit: {
        rows: audit.rows.slice(0, left),
        pending: b % 3 === 0 ? [] : audit.pending,
        head: pick([...heads, pick(older, c).head], b),
      },
      expected: { index: left, what: 'missing', id: null },
    }
  },
  'delete all': (audit, { b }) => ({
    audit: { rows: [], pending: [], head: pick([audit.head, { n: 0, state: '' }, undefined], b) },
    expected: { index: 0, what: 'missing', id: null },
  }),
  'roll back a copy': (_, { a }, older) => {
    const copy = pick(older, a)
    return { audit: copy, expected: { index: copy.rows.length, what: 'missing', id: null } }
  },
  'remove the content of a row, and the proof of its age': (audit, { a, b }) => {
    const at = a % audit.rows.length
    const row = audit.rows[at] as RawRow
    return {
      audit: { ...audit, rows: replaced(audit.rows, at, pick(WIPES, b)(row)) },
      expected: { index: at, what: 'edited', id: row['id'] },
    }
  },
  'remove the content of the first rows, and the proof of their age': (audit, { a, b }) => {
    const left = 1 + (a % audit.rows.length)
    const rows = audit.rows.map((row, i) => (i < left ? pick(WIPES, b)(row) : row))
    return {
      audit: { ...audit, rows },
      expected: { index: 0, what: 'edited', id: audit.rows[0]?.['id'] },
    }
  },
  'edit the checkpoint': (audit, { b, c }, older) => ({
    audit: { ...audit, head: pick(HEADS, b)(audit, c, older) },
    expected: { index: null, what: 'checkpoint', id: null },
  }),
  'delete the checkpoint': (audit, { b }) => ({
    audit: { ...audit, head: b % 2 === 0 ? undefined : { n: 0, state: '' } },
    expected: { index: null, what: 'checkpoint', id: null },
  }),
  'edit a pending row': (audit, { a, b }) => {
    const at = ownPending(audit, a)
    const edits = [EDITS[0], EDITS[1], EDITS[6], EDITS[8], EDITS[10]] as typeof EDITS
    const row = pick(edits, b)(audit.pending[at] as RawRow, a)
    return {
      audit: { ...audit, pending: replaced(audit.pending, at, { ...row, hash: null }) },
      expected: { index: null, what: 'edited', id: row['id'], elsewhere: 'inserted' },
    }
  },
  'insert a pending row': (audit, { a, c }) => {
    const like = pick(audit.rows, a)
    const row: RawRow = { ...forged(like, c % 2), idx: null, hash: null, place: null }
    return {
      audit: { ...audit, pending: [...audit.pending, row] },
      expected: { index: null, what: 'inserted', id: row['id'] },
    }
  },
  'delete a pending row': (audit, { a }) => {
    const at = ownPending(audit, a)
    return {
      audit: { ...audit, pending: audit.pending.filter((_, i) => i !== at) },
      expected: { index: null, what: 'missing', id: audit.pending[at]?.['id'], byNodesOnly: true },
    }
  },
  'give a pending row a place': (audit, { a, b }) => {
    const at = ownPending(audit, a)
    const row = audit.pending[at] as RawRow
    const idx = audit.rows.length
    const place = pick(audit.rows, b)['place'] as string
    const placed = { ...row, idx, hash: hashOf(String(row['body'])), place }
    return {
      audit: {
        ...audit,
        rows: [...audit.rows, placed],
        pending: audit.pending.filter((_, i) => i !== at),
      },
      expected: { index: idx, what: 'moved', id: row['id'] },
    }
  },
}
