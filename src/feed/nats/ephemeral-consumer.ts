/**
 * Reads many messages of a stream, in order, through a temporary consumer.
 *
 * @module
 */
import type {
  DeliveredMessage,
  JetStreamClient,
  JetStreamManager,
} from '../../clients/nats/client.js'

const EXPIRES_MS = 2000
// After a crash of the process, the server removes the consumer after this long.
const INACTIVE_NS = 15e9
const BATCH_BYTES = 4_000_000
const MAX_BATCH = 500
const MIN_BATCH = 8

/** The settings of a consumer for a single reader and purpose. */
export const EPHEMERAL = {
  ack_policy: 'none',
  max_deliver: 1,
  mem_storage: true,
  num_replicas: 1,
  inactive_threshold: INACTIVE_NS,
} as const

/** The range to read. */
export interface EphemeralOptions {
  readonly stream: string
  readonly subject: string
  /** The first sequence number to read. */
  readonly start: number
  readonly averageBytes: number
  /** The number of messages that is probably enough: at most this many are requested at once. */
  readonly enough?: number
  readonly signal: AbortSignal
}

/**
 * Yields messages until the reader stops. Ends by itself some time after the last one: the consumer may run on a
 * replica that lags behind, so no message is known to be the last.
 */
export async function* readEphemerally(
  js: JetStreamClient,
  manager: JetStreamManager,
  { stream, subject, start, averageBytes, enough = MAX_BATCH, signal }: EphemeralOptions,
): AsyncGenerator<DeliveredMessage, void> {
  const info = await manager.consumers.add(stream, {
    ...EPHEMERAL,
    deliver_policy: 'by_start_sequence',
    opt_start_seq: Math.max(1, start),
    filter_subject: subject,
  })
  const consumer = js.consumers.getConsumerFromInfo(info as never)
  const most = Math.min(MAX_BATCH, Math.max(MIN_BATCH, BATCH_BYTES / Math.max(1, averageBytes)))
  const batch = Math.max(1, Math.min(most, Math.ceil(enough)))
  let delivered = 0
  try {
    for (let found = true; found; ) {
      found = false
      signal.throwIfAborted()
      const options = { max_messages: Math.floor(batch), expires: EXPIRES_MS }
      const messages = await consumer.fetch(options)
      try {
        for await (const message of ahead(messages)) {
          signal.throwIfAborted()
          if (message.info.deliverySequence !== ++delivered)
            throw new Error('the nats consumer lost a message')
          found = true
          yield message
        }
      } finally {
        void messages.close()
      }
    }
  } finally {
    // In the background, so the reader does not wait for it.
    manager.consumers.delete(stream, info.name).catch(() => false)
  }
}

/** Buffers messages ahead of the reader. The client mistakes a reader that pauses for seconds for a silent server. */
async function* ahead<T>(source: AsyncIterable<T>): AsyncGenerator<T, void> {
  const taken: T[] = []
  let isOver = false
  let tell = () => {}
  const all = (async () => {
    for await (const each of source) {
      taken.push(each)
      tell()
    }
  })()
  const end = all.finally(() => {
    isOver = true
    tell()
  })
  // A reader that stops early leaves the cleanup to the closing of the source.
  end.catch(() => undefined)
  for (let at = 0; ; at++) {
    while (at === taken.length && !isOver) {
      await new Promise<void>((resolve) => {
        tell = resolve
      })
    }
    if (at === taken.length) return end
    yield taken[at] as T
  }
}
