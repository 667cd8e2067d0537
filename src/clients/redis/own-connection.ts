/**
 * Work on a connection of the feed's own, which ends with the work, with the signal, or when the server stops
 * responding.
 *
 * @module
 */

import type { RedisFeedClient, Subscriber } from './feed-client.js'
import { connect, discard, mute, SILENCE_MS } from './own-client.js'

/** Waits for a step of the work. Rejects if the server stays silent for too long, or if the signal aborts. */
export type Within = <T>(step: Promise<T>) => Promise<T>

/**
 * Creates a connection, runs `work` on it, and closes it. Resolves when the signal aborts; rejects if the work rejects.
 */
export async function onOwnConnection(
  subscriber: Subscriber,
  signal: AbortSignal,
  work: (client: RedisFeedClient, within: Within) => Promise<void>,
): Promise<void> {
  if (signal.aborted) return
  const within: Within = (step) => withinSilence(step, signal)
  const made = Promise.resolve().then(async () => {
    const client = await subscriber()
    mute(client)
    return client
  })
  try {
    const client = await within(made)
    await within(connect(client))
    await work(client, within)
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    // The client may be created only after the call gave up.
    made.then(discard, () => undefined)
  }
}

function withinSilence<T>(step: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      how()
    }
    const onAbort = () => settle(() => reject(signal.reason))
    const onSilence = () => settle(() => reject(new Error('redis stopped responding')))
    // After a pause of the whole process, the response is already in the socket and is read first.
    const timer = setTimeout(() => setImmediate(onSilence), SILENCE_MS)
    step.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
}
