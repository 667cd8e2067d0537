/**
 * Wake-ups by core NATS.
 *
 * @module
 */

import { adapterOptions } from '../../lib/adapter-options.js'
import { invalidOption } from '../../lib/invalid.js'
import type { WakeupChannel } from './channel.js'

/** The used part of a connection of `@nats-io/transport-node` 3 or another NATS transport. */
export interface NatsWakeupsConnection {
  publish(subject: string, payload: Uint8Array): void
  flush(): Promise<void>
  subscribe(
    subject: string,
    options: {
      callback(error: Error | null, message: { readonly data: Uint8Array }): void
    },
  ): { readonly closed: Promise<unknown>; unsubscribe(): void }
}

/** The options of {@link natsWakeups}. */
export interface NatsWakeupsOptions {
  /**
   * The subject of the messages: dot-separated names of letters, digits, `_` and `-`. Default: `'watchword.wakeups'`.
   */
  readonly subject?: string
}

const SUBJECT = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/
const LONGEST_SUBJECT = 200

/**
 * Wake-ups by core NATS, over the caller's own connection, which is never closed. The connection detects a lost server
 * by its pings: use a `pingInterval` of one or two seconds to restore wake-ups quickly.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import { connect } from '@nats-io/transport-node'
 * import { memoryFeed } from 'watchword/feed/memory'
 * import { natsWakeups, withWakeups } from 'watchword/feed/wakeups'
 *
 * const connection = await connect({ servers: 'nats.example:4222', pingInterval: 2000 })
 * const feed = withWakeups(memoryFeed(), natsWakeups(connection))
 * console.log(feed.info.push)
 * await connection.close()
 * ```
 */
export function natsWakeups(
  connection: NatsWakeupsConnection,
  ...given: readonly [options?: NatsWakeupsOptions]
): WakeupChannel {
  const subject = checkedSubject(given)
  return {
    publish: (message) => connection.publish(subject, message),
    subscribe: async (onMessage, signal) => {
      if (signal.aborted) return
      const subscription = connection.subscribe(subject, {
        // After an error the subscription has ended, which `closed` reports.
        callback: (error, message) => {
          if (error === null && !signal.aborted) onMessage(message.data)
        },
      })
      const end = () => subscription.unsubscribe()
      signal.addEventListener('abort', end)
      try {
        // Messages sent before the server knew of the subscription were missed.
        await Promise.race([connection.flush(), subscription.closed])
        if (!signal.aborted) onMessage(new Uint8Array(0))
        const ended = await subscription.closed
        if (ended instanceof Error) throw ended
      } finally {
        end()
        signal.removeEventListener('abort', end)
      }
    },
  }
}

function checkedSubject(given: readonly [options?: NatsWakeupsOptions]): string {
  const { subject = 'watchword.wakeups' } = adapterOptions(given, ['subject'])
  if (typeof subject === 'string' && SUBJECT.test(subject) && subject.length <= LONGEST_SUBJECT)
    return subject
  throw invalidOption(
    'subject',
    "expected names of letters, digits, '_' and '-', with dots between, at most 200 characters",
  )
}
