import { describe, expect, it } from 'vitest'
import type { JetStreamClient, JetStreamManager } from '../../../../src/clients/nats/client.js'
import { readEphemerally } from '../../../../src/feed/nats/ephemeral-consumer.js'

/** Reads from a consumer that delivers messages with these numbers, and then no more. */
async function read(deliveries: readonly number[]) {
  const left = [...deliveries]
  const state = { closed: 0, deleted: [] as string[], seqs: [] as number[] }
  const js = {
    consumers: {
      getConsumerFromInfo: () => ({
        fetch: async ({ max_messages: max }: { readonly max_messages: number }) => ({
          async *[Symbol.asyncIterator]() {
            for (const deliverySequence of left.splice(0, max))
              yield { seq: deliverySequence, data: new Uint8Array(), info: { deliverySequence } }
          },
          close: async () => void state.closed++,
        }),
      }),
    },
  } as unknown as JetStreamClient
  const manager = {
    consumers: {
      add: async () => ({ name: 'reader' }),
      delete: async (_: string, name: string) => state.deleted.push(name),
    },
  } as unknown as JetStreamManager
  const range = { stream: 'S', subject: 's', start: 1, averageBytes: 1, enough: 2 }
  const { signal } = new AbortController()
  const reading = async () => {
    for await (const { seq } of readEphemerally(js, manager, { ...range, signal }))
      state.seqs.push(seq)
  }
  const error: unknown = await reading().catch((reason: unknown) => reason)
  return { ...state, error }
}

describe('readEphemerally', () => {
  it('yields the messages of all batches, and removes its consumer', async () => {
    const { seqs, closed, deleted, error } = await read([1, 2, 3])
    expect([seqs, error, deleted]).toEqual([[1, 2, 3], undefined, ['reader']])
    expect(closed).toBe(3)
  })

  it('rejects as soon as a message is missing, and removes its consumer', async () => {
    const { seqs, deleted, error } = await read([1, 3, 4])
    expect(error).toMatchObject({ message: 'the nats consumer lost a message' })
    expect([seqs, deleted]).toEqual([[1], ['reader']])
  })
})
