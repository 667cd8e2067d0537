/**
 * Snapshots: chunks under a generation of their own, and one row that names the current generation.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { once, raw, type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import type { FeedSnapshot } from '../feed.js'
import type { FeedDialect, FeedEngine } from './dialect.js'
import { boundedEvent, boundedName, bytesOf, textOf } from './log.js'

// Each chunk has at most 40 KiB.
const CHUNKS_PER_READ = 64
// A snapshot that is not finished within an hour was abandoned.
const UNFINISHED_SECONDS = 3600

/** The snapshot of a feed. */
export function sqlSnapshot(engine: FeedEngine, ensureOpen: () => void): FeedSnapshot {
  return {
    async *load(signal) {
      ensureOpen()
      yield* load(engine, signal)
    },
    async save(chunks, signal) {
      ensureOpen()
      await save(engine, chunks, signal)
    },
  }
}

async function* load(engine: FeedEngine, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { dialect, feed } = engine
  const [current] = (await engine.run(selectCurrent(dialect, feed), signal)).rows
  if (current === undefined) return
  const generation = textOf(current['generation'])
  const count = Number(current['chunks'])
  let part = 0
  while (part < count) {
    const { rows } = await engine.run(selectChunks(dialect, feed, generation, part), signal)
    // The previous generation is kept while a newer one is read, so two saves must have happened since.
    if (rows.length === 0) throw new Error('the snapshot was replaced while it was read')
    for (const row of rows) {
      if (Number(row['part']) !== part) throw new Error(`chunk ${part} of the snapshot is missing`)
      if (part === count) return
      yield bytesOf(row['bytes'])
      part++
    }
  }
}

async function save(
  engine: FeedEngine,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const { dialect, feed } = engine
  const generation = randomBytes(16).toString('base64url')
  let count = 0
  try {
    for await (const chunk of chunks) {
      await engine.run(insertChunk(dialect, feed, generation, count, chunk), signal)
      count++
    }
  } catch (error) {
    // Otherwise the next save removes it.
    await engine.run(removeGeneration(dialect, feed, generation), signal).catch(() => undefined)
    throw error
  }
  if (!(await engine.transaction(() => replace(dialect, feed, generation, count), signal)))
    throw new Error('the snapshot took so long that its chunks were removed')
}

function* replace(
  dialect: FeedDialect,
  feed: string,
  generation: string,
  count: number,
): Steps<boolean> {
  const { snapshots, chunks } = dialect.tables
  const [before] = (yield sql`SELECT ${boundedName(raw('previous'))} AS previous FROM ${snapshots}
    WHERE feed = ${feed}${dialect.forUpdate}`).rows
  const [found] = (yield sql`SELECT COUNT(*) AS parts FROM ${chunks}
    WHERE feed = ${feed} AND generation = ${generation}`).rows
  if (Number(found?.['parts']) !== count) return false
  yield dialect.pointTo(feed, generation, count)
  // Keeps a generation that may be in use.
  const previous = before?.['previous'] ?? null
  yield sql`DELETE FROM ${chunks} WHERE feed = ${feed}
    AND generation NOT IN (SELECT generation FROM ${snapshots} WHERE feed = ${feed}
      UNION ALL SELECT COALESCE(previous, generation) FROM ${snapshots} WHERE feed = ${feed})
    AND (generation = ${previous === null ? '' : textOf(previous)}
      OR saved_at < ${dialect.now} - ${raw(String(UNFINISHED_SECONDS))})`
  return true
}

function selectCurrent({ tables }: FeedDialect, feed: string): Sql {
  return sql`SELECT ${boundedName(raw('generation'))} AS generation, chunks
    FROM ${tables.snapshots} WHERE feed = ${feed}`
}

function selectChunks(dialect: FeedDialect, feed: string, generation: string, part: number): Sql {
  return sql`SELECT part, ${boundedEvent(raw('bytes'))} AS bytes FROM ${dialect.tables.chunks}
    WHERE feed = ${feed} AND generation = ${generation} AND part >= ${part}
    ORDER BY part ${dialect.limit(CHUNKS_PER_READ)}`
}

function insertChunk(
  { tables, now }: FeedDialect,
  feed: string,
  generation: string,
  part: number,
  chunk: Uint8Array,
): Sql {
  return sql`INSERT INTO ${tables.chunks} (feed, generation, part, saved_at, bytes)
    VALUES (${feed}, ${generation}, ${part}, ${now}, ${chunk})`
}

function removeGeneration({ tables }: FeedDialect, feed: string, generation: string): Sql {
  return once(sql`DELETE FROM ${tables.chunks}
    WHERE feed = ${feed} AND generation = ${generation}`)
}
