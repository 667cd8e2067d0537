/**
 * Work on a connection of the feed's own: it ends with the work, with the signal, or when the server falls silent.
 *
 * @module
 */

import type { RedisFeedClient, Subscriber } from './feed-client.js'
import { connect, discard, mute, SILENCE_MS } from './own-client.js'

/** Waits for a step of the work. Rejects when it takes longer than a connection may be silent, or the signal aborts. */
export type Within = <T>(step: Promise<T>) => Promise<T>

/**
 * Makes a connection, does `work` on it, and throws it away. Resolves when the signal aborts; rejects with what the work
 * rejects with.
 */
export async function onOwnConnection(
  subscriber: Subscriber,
  signal: AbortSignal,
  work: (client: RedisFeedClient, within: Within) => Promise<void>,
): Promise<void> {
  if (signal.aborted) return
  const within: Within = (step) => answered(step, signal)
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
    // Though it may come only after it was given up.
    made.then(discard, () => undefined)
  }
}

function answered<T>(step: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      how()
    }
    const onAbort = () => settle(() => reject(signal.reason))
    const onSilence = () => settle(() => reject(new Error('redis fell silent')))
    // After a pause of the whole process, the response is in the socket and is read before this is called.
    const timer = setTimeout(() => setImmediate(onSilence), SILENCE_MS)
    step.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
}
