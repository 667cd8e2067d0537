import { describe, expect, it } from 'vitest'
import { type NatsWakeupsConnection, natsWakeups } from '../../../../src/feed/wakeups.js'

type Callback = (error: Error | null, message: { readonly data: Uint8Array }) => void

/** A connection whose subscription ends when the test says so. */
function connection() {
  const callbacks: Callback[] = []
  let close: (reason?: Error) => void = () => {}
  const nats: NatsWakeupsConnection = {
    publish: () => undefined,
    flush: async () => undefined,
    subscribe: (_, { callback }) => {
      callbacks.push(callback)
      const closed = new Promise((resolve) => {
        close = resolve
      })
      return { closed, unsubscribe: () => close() }
    },
  }
  return { nats, callbacks, close: (reason: Error) => close(reason) }
}

const MESSAGE = { data: new Uint8Array([1]) }

describe('wake-ups by NATS', () => {
  it('subscribe to nothing when the signal has aborted', async () => {
    const { nats, callbacks } = connection()
    await natsWakeups(nats).subscribe(() => undefined, AbortSignal.abort())
    expect(callbacks).toEqual([])
  })

  it('pass on messages, but no errors, and nothing after the signal has aborted', async () => {
    const { nats, callbacks } = connection()
    const stop = new AbortController()
    const messages: number[] = []
    const over = natsWakeups(nats).subscribe(({ length }) => messages.push(length), stop.signal)
    const [callback] = callbacks as [Callback]
    callback(null, MESSAGE)
    callback(new Error('permissions violation'), MESSAGE)
    stop.abort()
    callback(null, MESSAGE)
    await over
    expect(messages).toEqual([1])
  })

  it('reject with the error that ended the subscription', async () => {
    const { nats, close } = connection()
    const over = natsWakeups(nats).subscribe(() => undefined, new AbortController().signal)
    const failure = new Error('permissions violation')
    close(failure)
    await expect(over).rejects.toBe(failure)
  })
})
