import { describe, expect, it } from 'vitest'
import {
  binaryCommandOf,
  bytesOf,
  type RedisFeedClient,
  type Subscriber,
  subscriberOf,
} from '../../../../src/clients/redis/feed-client.js'

type Exec = () => Promise<[Error | null, unknown][] | null>

/** A client of ioredis with automatic pipelining, whose pipelines give these replies. */
function pipelining(exec: Exec): RedisFeedClient {
  return {
    options: { enableAutoPipelining: true },
    pipeline: () => ({ callBuffer: () => undefined, exec }),
    callBuffer: () => Promise.reject(new Error('not pipelined')),
    on: () => undefined,
    disconnect: () => undefined,
  }
}

describe('a client of ioredis with automatic pipelining', () => {
  it('resolves with the reply of its pipeline', async () => {
    const send = binaryCommandOf(pipelining(async () => [[null, 'OK']]))
    expect(await send('a', ['SET', 'a', '1'])).toBe('OK')
  })

  it('rejects with the error of the command', async () => {
    const failure = new Error('NOSCRIPT')
    const send = binaryCommandOf(pipelining(async () => [[failure, undefined]]))
    await expect(send('a', ['EVALSHA'])).rejects.toBe(failure)
  })

  it('rejects when the pipeline has no reply', async () => {
    for (const replies of [null, []]) {
      const send = binaryCommandOf(pipelining(async () => replies))
      await expect(send('a', ['GET', 'a'])).rejects.toThrow('ioredis gave no reply')
    }
  })
})

describe('a client of node-redis', () => {
  const sent: unknown[][] = []
  const sendCommand = async (...args: unknown[]) => void sent.push(args)
  const base = { sendCommand, connect: async () => undefined, on: () => undefined }
  const AS_BUFFERS = { returnBuffers: true, typeMapping: { 36: Buffer } }
  const command = ['GET', 'a']

  it.each<[string, object, unknown[]]>([
    ['one server receives the command', {}, [command, AS_BUFFERS]],
    [
      'a cluster receives the key, and is directed to the primary',
      { masters: [] },
      ['a', false, command, AS_BUFFERS],
    ],
    [
      'a sentinel is directed to the primary',
      { getMasterNode: () => undefined },
      [false, command, AS_BUFFERS],
    ],
  ])('of %s, and returns bytes', async (_, methods, args) => {
    await binaryCommandOf({ ...base, ...methods } as RedisFeedClient)('a', ['GET', 'a'])
    expect(sent.splice(0)).toEqual([args])
  })
})

describe('the connections of the feed', () => {
  const client = pipelining(async () => [])
  const own = pipelining(async () => null)

  it('are those of the subscriber, even if the client can duplicate itself', async () => {
    const subscriber = () => own
    const duplicating = { ...client, duplicate: () => client }
    expect(await subscriberOf(duplicating, subscriber)()).toBe(own)
  })

  it('are duplicates of the client otherwise', async () => {
    expect(await subscriberOf({ ...client, duplicate: () => own }, undefined)()).toBe(own)
  })

  it('need a subscriber that is a function, and one if the client cannot duplicate itself', () => {
    const refusal = { code: 'ERR_INVALID_OPTION', message: expect.stringMatching(/^subscriber: /) }
    for (const subscriber of [null, own, 'redis'])
      expect(() => subscriberOf(client, subscriber as unknown as Subscriber)).toThrow(
        expect.objectContaining(refusal),
      )
    expect(() => subscriberOf(client, undefined)).toThrow(expect.objectContaining(refusal))
  })
})

describe('a binary reply', () => {
  it('is copied, and rejected if it is text', () => {
    const reply = Buffer.from('ab')
    const bytes = bytesOf(reply)
    reply.fill(0)
    expect(bytes).toEqual(new Uint8Array([97, 98]))
    expect(() => bytesOf('ab')).toThrow('not bytes')
  })
})
