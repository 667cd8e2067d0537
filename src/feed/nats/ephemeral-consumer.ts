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
// Should the process end, the server drops what it left behind after this long.
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
  /** The first number in the stream that is of interest. */
  readonly start: number
  readonly averageBytes: number
  /** After how many messages the reader is likely to have enough: more are not asked for at once. */
  readonly enough?: number
  readonly signal: AbortSignal
}

/**
 * Yields messages until the reader has enough, and ends by itself a while after the last one: a consumer may be at a
 * replica that has not got the newest yet, so none is known to be the last.
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
    // In the background, so that the reader does not wait for it.
    manager.consumers.delete(stream, info.name).catch(() => false)
  }
}

/**
 * Takes what comes as it comes, however long the reader is busy with each: the client takes a reader who pauses for
 * seconds for a server that went silent.
 */
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
