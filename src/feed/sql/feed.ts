/**
 * A feed over any relational database.
 *
 * @module
 */

import { checkVersion, migrate, migrationSql } from '../../clients/sql/migrations.js'
import type { Row } from '../../clients/sql/statement.js'
import { closedError } from '../../lib/closed-adapter.js'
import { withReason } from '../../lib/failure-reason.js'
import type {
  CallOptions,
  Durability,
  Position,
  RevocationFeed,
  SealedEvent,
  SealedHead,
} from '../feed.js'
import type { Append, FeedEngine } from './dialect.js'
import {
  bytesOf,
  raiseFloor,
  removeAll,
  removeBelow,
  selectEvents,
  selectHead,
  selectLowest,
  toHead,
  touchHead,
} from './log.js'
import { sqlSnapshot } from './snapshot.js'

/** A feed with its own schema. */
export interface SqlFeed extends RevocationFeed {
  /**
   * Creates the tables or upgrades them to the version of this library. Idempotent, and safe when many processes start
   * at once. Rejects with `ERR_STORE_SCHEMA` if the schema is newer.
   */
  migrate(): Promise<void>
  /** The SQL that {@link SqlFeed.migrate} runs on an empty database, for migration tools. */
  migrationSql(): string
}

const POLL_MS = 250
const POLL_WITH_PUSH_MS = 1000
const TRIM_BATCH = 1000

/** Builds the feed over an engine. */
export function sqlFeed(engine: FeedEngine): SqlFeed {
  const { name, dialect, feed, watch, identity, splits = true } = engine
  const closing = new AbortController()
  const { head: headTable, log, snapshots, chunks } = dialect.tables
  const place = `${name} tables ${[headTable, log, snapshots, chunks].map(({ text }) => text).join(', ')}, rows of feed '${feed}'`
  let durability: Durability = 'unknown'
  const ensureOpen = (): void => {
    if (closing.signal.aborted) throw closedError(`the ${name} feed`)
  }
  // Async, so it rejects instead of throwing, also after close.
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    ensureOpen()
    return await work()
  }
  return {
    get info() {
      const push = watch !== undefined
      const suggestedPollMs = push ? POLL_WITH_PUSH_MS : POLL_MS
      return { name, push, durability, suggestedPollMs, place, splits }
    },
    migrate: () => step(() => migrate(engine, 'feed')),
    migrationSql: () => migrationSql(dialect),
    open: (signal) =>
      step(async () => {
        await checkVersion(engine, 'feed')
        durability = await engine.durability(signal)
      }),
    close: async () => closing.abort(),
    ...(identity && { identity: ({ signal }: CallOptions) => step(() => identity(signal)) }),
    head: ({ signal }) => step(() => head(engine, signal)),
    read: (after, limit, { signal }) =>
      step(async () => {
        const { rows } = await engine.run(selectEvents(dialect, feed, after, limit), signal)
        refuseReplica(name, rows[0])
        return { events: rows.flatMap(toEvents), floor: Number(rows[0]?.['floor'] ?? 1) }
      }),
    append: (expect, events, next, { signal }) =>
      step(async () => {
        if (await engine.append(copyOf({ feed, expect, events, next }), signal)) return { ok: true }
        return { ok: false, head: await head(engine, signal) }
      }),
    touch: (expect, next, { signal }) =>
      step(async () => {
        const statement = touchHead(dialect, feed, positionOf(expect), headOf(next))
        return (await engine.run(statement, signal)).changes > 0
      }),
    trim: (upTo, { signal }) => step(() => trim(engine, upTo, signal)),
    snapshot: sqlSnapshot(engine, ensureOpen),
    observe: (listener) => engine.incidents.observe(listener),
    reset: () => step(() => engine.transaction(() => removeAll(dialect, feed), closing.signal)),
    ...(watch !== undefined && {
      watch: (from, wake, signal) =>
        step(() => watch(from, wake, AbortSignal.any([signal, closing.signal]))),
    }),
  }
}

async function head(engine: FeedEngine, signal: AbortSignal): Promise<SealedHead | null> {
  const { rows } = await engine.run(selectHead(engine.dialect, engine.feed), signal)
  refuseReplica(engine.name, rows[0])
  return toHead(rows[0])
}

// A replica may lag behind by any amount, and a node would believe that it is up to date.
function refuseReplica(name: string, row: Row | undefined): void {
  if (row?.['replica'] !== true) return
  const error = new Error(`the ${name} feed is connected to a replica: connect it to the primary`)
  throw withReason(error, 'read_only')
}

function toEvents({ seq, bytes }: Row): SealedEvent[] {
  return seq === null ? [] : [{ seq: Number(seq), bytes: bytesOf(bytes) }]
}

async function trim(engine: FeedEngine, upTo: number, signal: AbortSignal): Promise<void> {
  const { dialect, feed } = engine
  const now = await head(engine, signal)
  if (now === null) return
  const floor = Math.min(upTo, now.seq) + 1
  // The floor first, so a concurrent reader sees it.
  await engine.run(raiseFloor(dialect, feed, now.epoch, floor), signal)
  // In batches, so no lock is held for long.
  for (;;) {
    const { rows } = await engine.run(selectLowest(dialect, feed, now.epoch), signal)
    const lowest = rows[0]?.['lowest'] ?? null
    if (lowest === null || Number(lowest) >= floor) return
    const end = Math.min(Number(lowest) + TRIM_BATCH, floor)
    await engine.run(removeBelow(dialect, feed, now.epoch, end), signal)
  }
}

// Copies, because the append may wait for a connection after the caller reuses its buffers.
function copyOf({ feed, expect, events, next }: Append): Append {
  return {
    feed,
    expect: expect === null ? null : positionOf(expect),
    events: events.map(({ seq, bytes }) => ({ seq, bytes: Buffer.from(bytes) })),
    next: headOf(next),
  }
}

function positionOf({ epoch, seq, link }: Position): Position {
  return { epoch, seq, link: Buffer.from(link) }
}

function headOf({ floor, beaconAt, bytes, ...position }: SealedHead): SealedHead {
  return { ...positionOf(position), floor, beaconAt, bytes: Buffer.from(bytes) }
}
