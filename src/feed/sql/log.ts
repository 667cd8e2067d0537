/**
 * The statements on the head and the log, written once for every database.
 *
 * @module
 */
import { type Row, raw, type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import { MAX_EVENT_BYTES, MAX_HEAD_BYTES, type Position, type SealedHead } from '../feed.js'
import type { Append, FeedDialect, ReadAfter, SteppedDialect } from './dialect.js'

// A response holds up to 4 MiB of events, which bounds the memory of a node that catches up.
export const READ_BYTES = 4 * 1024 * 1024
// The names and the links that nodes write are shorter.
const MAX_NAME = 64

/** The head. One row, even if there is none: the server says in any case whether it is a replica. */
export function selectHead({ tables, isReplica }: FeedDialect, feed: string): Sql {
  const seal = bounded(raw('h.seal'), MAX_HEAD_BYTES)
  const [epoch, link] = [boundedName(raw('h.epoch')), bounded(raw('h.link'), MAX_NAME)]
  return sql`SELECT r.replica, ${epoch} AS epoch, h.seq, ${link} AS link, h.floor, h.beacon_at, ${seal} AS seal
    FROM (SELECT ${isReplica} AS replica) r LEFT JOIN ${tables.head} h ON h.feed = ${feed}`
}

/**
 * The bytes of a column, but of what is longer than the most only as much as shows that it is: others may have put there
 * what no node has the memory for.
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
 * The events after a position, and the floor, from one snapshot of the database. Only what lies between the floor and
 * the head: below it, events are being removed; above it are rows of other writers.
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

/** Compares and moves the head: one row is written, or none. */
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

/** Seals the head anew. */
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

/** Appends, where that takes a transaction. The row of the head is locked first, so the order of commits is that of `seq`. */
export function* appendSteps(dialect: SteppedDialect, append: Append): Steps<boolean> {
  const { feed, events, next } = append
  const moved = yield moveHead(dialect, append)
  if (moved.changes === 0) return false
  if (beginsEpoch(append)) yield removeOtherEpochs(dialect, append)
  for (const statement of dialect.insertEvents(feed, next.epoch, events)) yield statement
  return true
}

/** Moves the floor up. Only in the epoch for which it was worked out: a log that began anew meanwhile keeps its events. */
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

/** Removes a whole feed. The head goes last: a concurrent reader finds a log with a gap. */
export function* removeAll({ tables }: FeedDialect, feed: string): Steps<void> {
  for (const table of [tables.snapshots, tables.chunks, tables.log, tables.head])
    yield sql`DELETE FROM ${table} WHERE feed = ${feed}`
}

/** A head of a row; `null` for a row without one. */
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

/** A copy of the bytes of a column: a driver's own may be a window on all that the server sent. */
export function bytesOf(content: unknown): Uint8Array {
  return new Uint8Array(content as Uint8Array)
}
