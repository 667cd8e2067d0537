/**
 * Calls to the feed, each with a deadline of the core's own: clients cannot be trusted to time out.
 *
 * @module
 */

import type {
  Appended,
  CallOptions,
  Position,
  RevocationFeed,
  SealedEvent,
  SealedHead,
} from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import { withDeadline } from '../../lib/deadline.js'
import type { Failures } from '../../observe/failures.js'

// Saving a snapshot takes many steps that the core does not see.
const SAVE_DEADLINES = 30

/** Dependencies of the calls. */
export interface FeedClientOptions {
  readonly failures: Failures
  readonly feed: RevocationFeed
  readonly clock: ResolvedClock
  /** The deadline of a call, in milliseconds. */
  readonly deadlineMs: number
  /** The timeout for reading the head, in milliseconds. Shorter, because a node retries instead of waiting. */
  readonly probeMs: number
}

/** Opens the feed on first use, and again after a failed open. */
export class FeedClient {
  readonly #feed: RevocationFeed
  readonly #options: FeedClientOptions
  #opening: Promise<void> | undefined

  constructor(options: FeedClientOptions) {
    this.#feed = options.feed
    this.#options = options
  }

  /** The name of the feed, for messages and health. */
  get name(): string {
    return this.#feed.info.name ?? 'custom'
  }

  /** Opens the feed once. Rejects with `ERR_FEED_UNAVAILABLE`, like every method here. */
  open(): Promise<void> {
    this.#opening ??= this.#call(({ signal }) => this.#feed.open(signal)).catch(
      (error: unknown) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  /** Reads the head. */
  head(): Promise<SealedHead | null> {
    return this.#call((options) => this.#feed.head(options), this.#options.probeMs)
  }

  /** Reads events. */
  read(
    after: { readonly epoch: string; readonly seq: number },
    limit: number,
  ): Promise<{ readonly events: readonly SealedEvent[]; readonly floor: number }> {
    return this.#call((options) => this.#feed.read(after, limit, options))
  }

  /** Appends if the head is still the expected one. */
  append(
    expect: Position | null,
    events: readonly SealedEvent[],
    next: SealedHead,
  ): Promise<Appended> {
    return this.#write('append', (options) => this.#feed.append(expect, events, next, options))
  }

  /** Replaces the seal of the head. Resolves with `false` if the feed does not support it. */
  touch(expect: Position, next: SealedHead): Promise<boolean> {
    return this.#write(
      'touch',
      async (options) => (await this.#feed.touch?.(expect, next, options)) ?? false,
    )
  }

  /** The server that holds the log, if the feed reports it. */
  identity(): Promise<string | undefined> {
    return this.#call(async (options) => this.#feed.identity?.(options))
  }

  /** Drops the oldest events, if the feed supports it. */
  trim(upTo: number): Promise<void> {
    return this.#call(async (options) => this.#feed.trim?.(upTo, options))
  }

  /** Yields the chunks of the snapshot, if the feed keeps one. Each chunk has the same deadline as any other call. */
  async *load(): AsyncGenerator<Uint8Array, void> {
    const controller = new AbortController()
    const iterator = this.#feed.snapshot?.load(controller.signal)[Symbol.asyncIterator]()
    if (iterator === undefined) return
    try {
      for (;;) {
        const { done, value } = await this.#call(() => iterator.next())
        if (done === true) return
        yield value
      }
    } finally {
      controller.abort()
    }
  }

  /** Replaces the snapshot, if the feed keeps one. */
  save(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const longest = this.#options.deadlineMs * SAVE_DEADLINES
    return this.#call(async ({ signal }) => this.#feed.snapshot?.save(chunks, signal), longest)
  }

  // A log that rejects appends may still be readable, so a pull would not detect it.
  #write<T>(operation: 'append' | 'touch', call: (options: CallOptions) => Promise<T>): Promise<T> {
    return this.#options.failures.follow(this.#call(call), operation)
  }

  #call<T>(
    call: (options: CallOptions) => Promise<T>,
    deadlineMs = this.#options.deadlineMs,
  ): Promise<T> {
    const controller = new AbortController()
    const deadline = {
      clock: this.#options.clock,
      deadlineMs,
      code: 'ERR_FEED_UNAVAILABLE' as const,
      name: `feed "${this.name}"`,
      onTimeout: () => controller.abort(),
    }
    const options = {
      // Made only for a feed that reads it: making one takes longer than reading a head in memory.
      get signal() {
        return controller.signal
      },
      deadlineMs,
    }
    return withDeadline(deadline, () => call(options))
  }
}
