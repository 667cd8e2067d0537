/**
 * A feed in NATS JetStream, over the caller's own client. The log is a stream, and each node's push channel is a
 * consumer.
 *
 * Each append is one message, published only if no other message was published before it. A touch is a message without
 * events that replaces the previous touch.
 *
 * @module
 */

import type { JetStreamClient } from '../clients/nats/client.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { closedError } from '../lib/closed-adapter.js'
import { invalidOption } from '../lib/invalid.js'
import { withSignals } from '../lib/signals.js'
import type { Appended, Position, RevocationFeed, SealedEvent, SealedHead } from './feed.js'
import { Incidents } from './incidents.js'
import { Log } from './nats/log.js'
import { Reader } from './nats/read.js'
import { snapshotsOf } from './nats/snapshot.js'
import { namesOf } from './nats/streams.js'
import { headOf, standsAt, type Tail } from './nats/tail.js'
import { watchLog } from './nats/watch.js'

export type { JetStreamClient } from '../clients/nats/client.js'

/** The options of {@link natsFeed}. */
export interface NatsFeedOptions {
  /**
   * Prefix of the names of the streams, such as `watchword_LOG`, and of their subjects, such as `watchword.log`:
   * letters, digits, `_` and `-`, at most 64. Default: `'watchword'`.
   */
  readonly prefix?: string
  /** The number of replicas of each stream: 1 to 5, preferably odd. Default: `1`. */
  readonly replicas?: number
}

const PREFIX = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/**
 * A feed in NATS JetStream 2.9 or newer. The caller owns the client: the feed never closes it. The servers decide how
 * durable an acknowledged revocation is: by default they sync to disk only every two minutes, so set their
 * `sync_interval: always` or use three replicas.
 *
 * The feed creates missing streams. If the account may not do that, create them without limits, and with deleting and
 * purging allowed. Let only nodes publish on the subject of the log: the feed skips and deletes foreign messages, and a
 * flood of them makes nodes stale while it lasts. The feed detects a silent server within seconds; the connection
 * detects it according to its `pingInterval`.
 *
 * @example
 * ```ts
 * import { jetstream } from '@nats-io/jetstream'
 * import { connect } from '@nats-io/transport-node'
 * import { natsFeed } from 'watchword/feed/nats'
 *
 * export async function openFeed() {
 *   const connection = await connect({ maxReconnectAttempts: -1, pingInterval: 2000, maxPingOut: 2 })
 *   return natsFeed(jetstream(connection), { prefix: 'tokens', replicas: 3 })
 * }
 * ```
 */
export function natsFeed(
  js: JetStreamClient,
  ...given: readonly [options?: NatsFeedOptions]
): RevocationFeed {
  const { prefix, replicas } = checkOptions(js, given)
  const closing = new AbortController()
  const releasing = new Set<Promise<unknown>>()
  const incidents = new Incidents()
  const names = namesOf(prefix)
  let opened: { readonly log: Log; readonly reader: Reader } | undefined

  async function open(signal: AbortSignal): Promise<void> {
    rejectClosed()
    if (opened !== undefined) return
    const manager = await js.jetstreamManager(false)
    const log = new Log(js, manager, names, replicas, incidents)
    signal.throwIfAborted()
    await log.open()
    opened ??= { log, reader: new Reader(log) }
  }
  function rejectClosed(): void {
    if (closing.signal.aborted) throw closedError('the nats feed')
  }
  async function parts(): Promise<{ readonly log: Log; readonly reader: Reader }> {
    rejectClosed()
    if (opened === undefined) throw new Error('the nats feed was not opened')
    return opened
  }
  function release(done: Promise<unknown>): void {
    const settled = done.catch(() => undefined).finally(() => releasing.delete(settled))
    releasing.add(settled)
  }

  return {
    info: {
      name: 'nats',
      push: true,
      durability: replicas > 1 ? 'quorum' : 'unknown',
      suggestedPollMs: 1000,
      place: `nats streams ${names.log}, ${names.snapshots}`,
    },
    open,
    head: async ({ signal }) => headOf(await (await parts()).log.tail(signal)),
    read: async (after, limit, call) => (await parts()).reader.read(after, limit, call),
    append: async (expect, events, next, { signal }) =>
      append((await parts()).log, { expect, events, next, signal }),
    touch: async (expect, next, { signal }) => {
      const { log } = await parts()
      const { at } = await log.publish((tail) => reseal(tail, expect, next), signal)
      return at !== undefined
    },
    watch: async (from, wake, signal) => {
      const open = await parts()
      await withSignals([signal, closing.signal], (stop) =>
        watchLog({ ...open, from, wake, signal: stop.signal, release }),
      )
    },
    snapshot: snapshotsOf(async () => (await parts()).log),
    trim: async (upTo, { signal }) => {
      const { log, reader } = await parts()
      const { tail } = await log.publish((end) => raiseFloor(end, upTo), signal)
      if (tail !== undefined) await reader.drop(tail, upTo, signal)
    },
    observe: (listener) => incidents.observe(listener),
    reset: async () => {
      rejectClosed()
      await open(closing.signal)
      await (await parts()).log.reset()
    },
    close: async () => {
      closing.abort()
      await Promise.all(releasing)
    },
  }
}

interface Append {
  readonly expect: Position | null
  readonly events: readonly SealedEvent[]
  readonly next: SealedHead
  readonly signal: AbortSignal
}

async function append(log: Log, { expect, events, next, signal }: Append): Promise<Appended> {
  const isNew = next.epoch !== expect?.epoch
  const { tail, at } = await log.publish((end) => {
    if (!standsAt(end, expect)) return undefined
    const floor = isNew ? 1 : floorOf(end)
    return { head: { ...next, floor }, events }
  }, signal)
  if (at === undefined) return { ok: false, head: headOf(tail) }
  // What remains after a failure belongs to another epoch and is never read.
  if (isNew && tail !== undefined) await log.dropBefore(at, tail).catch(() => undefined)
  return { ok: true }
}

function reseal(tail: Tail | undefined, expect: Position, next: SealedHead) {
  if (!standsAt(tail, expect)) return undefined
  return { head: { ...next, floor: floorOf(tail) }, events: [] }
}

function raiseFloor(tail: Tail | undefined, upTo: number) {
  const head = headOf(tail)
  if (head === null) return undefined
  const floor = Math.min(upTo, head.seq) + 1
  return floor > head.floor ? { head: { ...head, floor }, events: [] } : undefined
}

function floorOf(tail: Tail | undefined): number {
  return tail?.floor ?? 1
}

function checkOptions(
  js: JetStreamClient,
  given: readonly [options?: NatsFeedOptions],
): Required<NatsFeedOptions> {
  const { prefix = 'watchword', replicas = 1 } = adapterOptions(given, ['prefix', 'replicas'])
  if (typeof js?.jetstreamManager !== 'function')
    throw invalidOption('js', 'expected the result of jetstream(connection) of @nats-io/jetstream')
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw invalidOption(
      'prefix',
      "expected 1 to 64 letters, digits, '_' or '-', the first a letter or digit",
    )
  }
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 5)
    throw invalidOption('replicas', 'expected a whole number from 1 to 5')
  return { prefix, replicas }
}
