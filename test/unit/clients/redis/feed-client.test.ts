import { describe, expect, it } from 'vitest'
import { binaryCommandOf, type RedisFeedClient } from '../../../../src/clients/redis/feed-client.js'

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
