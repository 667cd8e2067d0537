/**
 * The statements on the head and the log, shared by every database.
 *
 * @module
 */
import { type Row, raw, type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import { MAX_EVENT_BYTES, MAX_HEAD_BYTES, type Position, type SealedHead } from '../feed.js'
import type { Append, FeedDialect, ReadAfter, SteppedDialect } from './dialect.js'

// A page holds up to 4 MiB of events, which bounds the memory of a node that catches up.
export const READ_BYTES = 4 * 1024 * 1024
// Names and links written by nodes are shorter.
const MAX_NAME = 64

/** Selects the head. Returns one row even without a log, because it also says whether the server is a replica. */
export function selectHead({ tables, isReplica }: FeedDialect, feed: string): Sql {
  const seal = bounded(raw('h.seal'), MAX_HEAD_BYTES)
  const [epoch, link] = [boundedName(raw('h.epoch')), bounded(raw('h.link'), MAX_NAME)]
  return sql`SELECT r.replica, ${epoch} AS epoch, h.seq, ${link} AS link, h.floor, h.beacon_at, ${seal} AS seal
    FROM (SELECT ${isReplica} AS replica) r LEFT JOIN ${tables.head} h ON h.feed = ${feed}`
}

/**
 * The bytes of a column, cut just above the maximum: others may have stored a value that does not fit in memory, and
 * the extra byte shows that it is too long.
 */
function bounded(column: Sql, most: number): Sql {
  return sql`SUBSTR(${column}, 1, ${raw(String(most + 1))})`
}

/** The same for the name of an epoch, or of a generation of chunks. */
export function boundedName(column: Sql): Sql {
  return bounded(column, MAX_NAME)
}

/** The same for an event, or a chunk of a snapshot. */
export function boundedEvent(column: Sql): Sql {
  return bounded(column, MAX_EVENT_BYTES)
}

/**
 * Selects the events after a position and the floor, in one consistent read. Only events between the floor and the
 * head: those below are being removed, and those above were written by others.
 */
export function selectEvents(
  dialect: FeedDialect,
  feed: string,
  after: ReadAfter,
  limit: number,
): Sql {
  if (dialect.selectEvents !== undefined) return dialect.selectEvents(feed, after, limit)
  const { tables, isReplica } = dialect
  const { epoch, seq } = after
  const sizes = sql`SELECT l.seq, LENGTH(l.bytes) AS size
    FROM ${tables.head} g JOIN ${tables.log} l ON l.feed = g.feed AND l.epoch = g.epoch
    WHERE g.feed = ${feed} AND g.epoch = ${epoch}
      AND l.seq > ${seq} AND l.seq >= g.floor AND l.seq <= g.seq
    ORDER BY l.seq ${dialect.limit(limit)}`
  return sql`SELECT r.replica, h.floor, b.seq, ${boundedEvent(raw('b.bytes'))} AS bytes
    FROM (SELECT ${isReplica} AS replica) r LEFT JOIN ${tables.head} h ON h.feed = ${feed}
    LEFT JOIN (
      SELECT s.seq, SUM(s.size) OVER (ORDER BY s.seq) - s.size AS earlier FROM (${sizes}) s
    ) e ON e.earlier < ${raw(String(READ_BYTES))}
    LEFT JOIN ${tables.log} b ON b.feed = ${feed} AND b.epoch = ${epoch} AND b.seq = e.seq
    ORDER BY b.seq`
}

/** Compares and moves the head: writes one row, or none. */
export function moveHead({ tables, insertUnlessThere }: FeedDialect, append: Append): Sql {
  const { feed, expect, next } = append
  const { epoch, seq, link, beaconAt, bytes } = next
  if (expect === null) {
    const columns = raw('feed, epoch, seq, link, floor, beacon_at, seal')
    return insertUnlessThere(tables.head, columns, [feed, epoch, seq, link, 1, beaconAt, bytes])
  }
  const floor = epoch === expect.epoch ? raw('') : raw(', floor = 1')
  return sql`UPDATE ${tables.head} SET epoch = ${epoch}, seq = ${seq}, link = ${link},
    beacon_at = ${beaconAt}, seal = ${bytes}${floor} WHERE ${standing(feed, expect)}`
}

/** Refreshes the seal of the head. */
export function touchHead(
  { tables }: FeedDialect,
  feed: string,
  expect: Position,
  { beaconAt, bytes }: SealedHead,
): Sql {
  return sql`UPDATE ${tables.head} SET beacon_at = ${beaconAt}, seal = ${bytes}
    WHERE ${standing(feed, expect)}`
}

function standing(feed: string, { epoch, seq, link }: Position): Sql {
  return sql`feed = ${feed} AND epoch = ${epoch} AND seq = ${seq} AND link = ${link}`
}

/** Whether the append begins an epoch. */
export function beginsEpoch({ expect, next }: Append): boolean {
  return next.epoch !== expect?.epoch
}

/** Removes the events of every epoch but the new one. */
export function removeOtherEpochs({ tables }: FeedDialect, { feed, next }: Append): Sql {
  return sql`DELETE FROM ${tables.log} WHERE feed = ${feed} AND epoch <> ${next.epoch}`
}

/** Appends in a transaction. The row of the head is locked first, so the order of commits is that of `seq`. */
export function* appendSteps(dialect: SteppedDialect, append: Append): Steps<boolean> {
  const { feed, events, next } = append
  const moved = yield moveHead(dialect, append)
  if (moved.changes === 0) return false
  if (beginsEpoch(append)) yield removeOtherEpochs(dialect, append)
  for (const statement of dialect.insertEvents(feed, next.epoch, events)) yield statement
  return true
}

/** Raises the floor, only in the epoch for which it was computed: a log that restarted since keeps its events. */
export function raiseFloor(
  { tables }: FeedDialect,
  feed: string,
  epoch: string,
  floor: number,
): Sql {
  return sql`UPDATE ${tables.head} SET floor = ${floor}
    WHERE feed = ${feed} AND epoch = ${epoch} AND floor < ${floor}`
}

/** The lowest `seq` that the log holds. */
export function selectLowest({ tables }: FeedDialect, feed: string, epoch: string): Sql {
  return sql`SELECT MIN(seq) AS lowest FROM ${tables.log} WHERE feed = ${feed} AND epoch = ${epoch}`
}

/** Removes the events below a `seq`. */
export function removeBelow(
  { tables }: FeedDialect,
  feed: string,
  epoch: string,
  seq: number,
): Sql {
  return sql`DELETE FROM ${tables.log} WHERE feed = ${feed} AND epoch = ${epoch} AND seq < ${seq}`
}

/** Removes a whole feed. The head is removed last: a concurrent reader sees a log with a gap. */
export function* removeAll({ tables }: FeedDialect, feed: string): Steps<void> {
  for (const table of [tables.snapshots, tables.chunks, tables.log, tables.head])
    yield sql`DELETE FROM ${table} WHERE feed = ${feed}`
}

/** The head in a row; `null` for a row without one. */
export function toHead(row: Row | undefined): SealedHead | null {
  if (row === undefined || row['epoch'] === null) return null
  return {
    epoch: textOf(row['epoch']),
    seq: Number(row['seq']),
    link: bytesOf(row['link']),
    floor: Number(row['floor']),
    beaconAt: Number(row['beacon_at']),
    bytes: bytesOf(row['seal']),
  }
}

/** The text of a column, which some drivers return as bytes. */
export function textOf(content: unknown): string {
  return content instanceof Uint8Array ? Buffer.from(content).toString('utf8') : String(content)
}

/** A copy of the bytes of a column: a driver's buffer may be a view of the whole server reply. */
export function bytesOf(content: unknown): Uint8Array {
  return new Uint8Array(content as Uint8Array)
}
