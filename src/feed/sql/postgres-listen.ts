/**
 * The push channel of PostgreSQL: a connection that listens, and the payloads sent over it.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { PostgresQuery, PostgresResult } from '../../clients/sql/postgres-client.js'
import { PARSERS } from '../../clients/sql/postgres-values.js'
import { listJson } from '../../lib/plain.js'
import type { SealedEvent, WatchHint } from '../feed.js'
import type { Append } from './dialect.js'
import type { Notice } from './postgres-dialect.js'

/** The used part of a listening `Client` of the package `pg`. */
export interface PostgresListener {
  connect(): Promise<unknown>
  query(query: PostgresQuery): Promise<PostgresResult>
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(
    event: 'notification',
    listener: (notification: { readonly payload?: string | undefined }) => void,
  ): unknown
}

const START_MS = 5000
const HEARTBEAT_MS = 5000
const HEARTBEAT_DEADLINE_MS = 2000

// PostgreSQL rejects payloads of 8000 bytes and more.
const MAX_PAYLOAD = 7999

/**
 * The channel of one feed. All feeds of a database share one namespace of channels, so the name is derived from the
 * table's.
 */
export function channelOf(table: string, feed: string): string {
  const digest = createHash('sha256')
    .update(listJson([table, feed]))
    .digest('hex')
  return `watchword_${digest.slice(0, 32)}`
}

/** The notification of an append, with the events if they fit. They are encrypted. */
export function noticeOf(channel: string, { events, next }: Append): Notice {
  const [first] = events
  const size = events.reduce((sum, { bytes }) => sum + Math.ceil(bytes.length / 3) * 4 + 1, 16)
  if (first === undefined || size > MAX_PAYLOAD) return { channel, payload: String(next.seq) }
  const texts = events.map(({ bytes }) => Buffer.from(bytes).toString('base64'))
  return { channel, payload: `${first.seq}:${texts.join(',')}` }
}

/** Decodes a payload. Any client of the database may send one, so it is untrusted. */
export function hintOf(payload: string): WatchHint {
  const [, seq, texts] = /^(\d{1,15}):([A-Za-z0-9+/=,]+)$/.exec(payload) ?? []
  if (texts === undefined) return {}
  const events = texts.split(',').map(
    (text, index): SealedEvent => ({
      seq: Number(seq) + index,
      bytes: new Uint8Array(Buffer.from(text, 'base64')),
    }),
  )
  return { events }
}

/**
 * Listens until the signal aborts. Rejects as soon as the channel is lost. Wakes once after it starts to listen,
 * because earlier notifications were missed.
 */
export async function listen(
  create: () => PostgresListener,
  channel: string,
  wake: (hint?: WatchHint) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  const client = create()
  const ended = new AbortController()
  const over = new Promise<void>((resolve, reject) => {
    client.on('error', reject)
    client.on('end', () => reject(new Error('the connection that listens has ended')))
    signal.addEventListener('abort', () => resolve(), { signal: ended.signal })
  })
  // Messages that arrive while the connection is closing are dropped.
  const tell = (hint?: WatchHint): void => {
    if (!ended.signal.aborted) wake(hint)
  }
  client.on('notification', ({ payload }) => tell(hintOf(payload ?? '')))
  try {
    await Promise.race([over, keepListening(client, channel, tell, ended.signal)])
  } finally {
    ended.abort()
    // Not awaited: a lost server never replies.
    client.end().catch(() => undefined)
  }
}

/** Checks regularly that the session still listens: a half-open connection reports no error. */
async function keepListening(
  client: PostgresListener,
  channel: string,
  wake: () => void,
  ended: AbortSignal,
): Promise<void> {
  await within(START_MS, client.connect())
  await within(START_MS, client.query({ text: `LISTEN ${channel}` }))
  wake()
  for (;;) {
    await pause(HEARTBEAT_MS, undefined, { signal: ended })
    const channels = client.query({
      text: 'SELECT pg_listening_channels() AS channel',
      types: PARSERS,
    })
    const { rows } = await within(HEARTBEAT_DEADLINE_MS, channels)
    if (!rows.some((row) => (row as { readonly channel?: unknown }).channel === channel))
      throw new Error(
        'the session no longer listens: it needs a direct connection, past any pooler',
      )
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const timer = new AbortController()
  const late = pause(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`the connection that listens did not respond within ${ms} ms`)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    timer.abort()
  }
}
