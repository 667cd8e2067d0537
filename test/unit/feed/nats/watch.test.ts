/** A watch of the NATS feed, over a consumer whose messages the test delivers. */
import { describe, expect, it } from 'vitest'
import type { DeliveredMessage } from '../../../../src/clients/nats/client.js'
import type { Position, WatchHint } from '../../../../src/feed/feed.js'
import { encodeFrame } from '../../../../src/feed/nats/frame.js'
import { type WatchOptions, watchLog } from '../../../../src/feed/nats/watch.js'

const EPOCH = 'epoch-of-22-characters'
const NOWHERE: Position = { epoch: '', seq: 0, link: new Uint8Array(16) }

const event = (seq: number) => ({ seq, bytes: new Uint8Array([seq]) })
function frame(seq: number, events = [event(seq)]): Uint8Array {
  const head = { epoch: EPOCH, seq, link: new Uint8Array(16).fill(seq), floor: 1, beaconAt: seq }
  return encodeFrame({ head: { ...head, bytes: new Uint8Array(9) }, events, cuts: [] })
}

type Status = { readonly type: string }

/** A stream of status events that stays open. */
async function* statuses(types: readonly string[]): AsyncGenerator<Status, void> {
  for (const type of types) yield { type }
  await new Promise(() => {})
}

interface Given {
  readonly consumer?: readonly string[]
  readonly connection?: readonly string[]
  readonly hasConnection?: boolean
  readonly adding?: Promise<{ readonly name: string }>
}

/** A watch that has begun to consume. */
async function watching({
  consumer = [],
  connection = [],
  hasConnection = true,
  adding = Promise.resolve({ name: 'watcher' }),
}: Given = {}) {
  const hints: (WatchHint | undefined)[] = []
  const saw: number[] = []
  const deleted: string[] = []
  let callback: ((message: DeliveredMessage) => void) | undefined
  let close: (error?: Error) => void = () => {}
  const closed = new Promise<unknown>((resolve) => {
    close = resolve
  })
  const messages = {
    close: async () => undefined,
    closed: () => closed,
    status: () => statuses(consumer),
  }
  const js = {
    consumers: {
      getConsumerFromInfo: () => ({
        consume: async (options: { readonly callback: (message: DeliveredMessage) => void }) => {
          callback = options.callback
          return messages
        },
      }),
    },
    ...(hasConnection && { getConnection: () => ({ status: () => statuses(connection) }) }),
  }
  const manager = {
    consumers: { add: () => adding, delete: async (_: string, name: string) => deleted.push(name) },
  }
  const stop = new AbortController()
  const released: Promise<unknown>[] = []
  const over = watchLog({
    log: { js, manager, names: { log: 'a_LOG' } },
    reader: { saw: (_: number, at: number) => saw.push(at) },
    from: NOWHERE,
    wake: (hint?: WatchHint) => hints.push(hint),
    signal: stop.signal,
    release: (done: Promise<unknown>) => released.push(done),
  } as unknown as WatchOptions)
  over.catch(() => undefined)
  await new Promise((resolve) => setImmediate(resolve))
  let delivered = 0
  const deliver = (at: number, data: Uint8Array, sequence = ++delivered) =>
    callback?.({ seq: at, data, info: { deliverySequence: sequence } })
  return {
    over,
    stop,
    deliver,
    hints,
    saw,
    deleted,
    released,
    close,
    consumes: () => callback !== undefined,
  }
}

describe('a watch of the nats feed', () => {
  it('wakes for each new position, with its events if there are any', async () => {
    const { over, stop, deliver, hints, saw, deleted, released } = await watching()
    deliver(7, frame(1))
    deliver(8, frame(1))
    deliver(9, frame(2, []))
    stop.abort()
    await over
    deliver(10, frame(3))
    await Promise.all(released)
    expect(hints).toEqual([{ events: [event(1)] }, undefined])
    expect([saw, deleted]).toEqual([[7, 8, 9], ['watcher']])
  })

  it('wakes for a first message that is not a frame, but not for later ones', async () => {
    const { over, stop, deliver, hints } = await watching({ hasConnection: false })
    deliver(7, new Uint8Array([1]))
    deliver(8, new Uint8Array([1]))
    stop.abort()
    await over
    expect(hints).toEqual([undefined])
  })

  it('rejects when a message is missing', async () => {
    const { over, deliver, hints } = await watching()
    deliver(7, frame(1))
    deliver(9, frame(3), 3)
    await expect(over).rejects.toThrow('the nats consumer lost a message')
    expect(hints).toHaveLength(1)
  })

  it.each<[string, Given]>([
    ['the consumer', { consumer: ['next', 'heartbeats_missed'] }],
    ['the connection', { connection: ['ping', 'disconnect'] }],
  ])('rejects when the status of %s casts doubt on it', async (_, given) => {
    const { over } = await watching(given)
    await expect(over).rejects.toThrow('the nats channel is in doubt')
  })

  it('rejects when the consumer ends, with its error if there is one', async () => {
    const failure = new Error('stream deleted')
    for (const [error, message] of [
      [failure, 'stream deleted'],
      [undefined, 'the consumer ended'],
    ] as const) {
      const { over, close } = await watching()
      close(error)
      await expect(over).rejects.toThrow(message)
    }
  })

  it('consumes nothing when it ends before its consumer exists, and removes that later', async () => {
    let add: (info: { readonly name: string }) => void = () => {}
    const adding = new Promise<{ readonly name: string }>((resolve) => {
      add = resolve
    })
    const { over, stop, consumes, deleted, released } = await watching({ adding })
    stop.abort()
    await over
    add({ name: 'late' })
    await Promise.all(released)
    expect([consumes(), deleted]).toEqual([false, ['late']])
  })

  it('does not begin when the signal has aborted', async () => {
    const options = { log: {}, signal: AbortSignal.abort() } as unknown as WatchOptions
    await expect(watchLog(options)).resolves.toBeUndefined()
  })
})
