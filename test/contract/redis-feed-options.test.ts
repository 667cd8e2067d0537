import { describe, expect, it } from 'vitest'
import { type RedisFeedClient, redisFeed } from '../../src/feed/redis.js'

type Answer = (call: string, args: readonly (string | Buffer)[]) => unknown

const call = { signal: new AbortController().signal, deadlineMs: 1000 }

/** A client of ioredis' shape, whose answers are made from the call's name and the script's arguments. */
function answering(answer: Answer): RedisFeedClient {
  return {
    callBuffer: async (_, [, , , name = '', ...args]) => answer(String(name), args),
    duplicate: () => answering(answer),
    disconnect: () => {},
    on: () => {},
  }
}

const client = answering(() => null)

function refusal(message: RegExp): unknown {
  return expect.objectContaining({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(message),
  })
}

describe('the options of redisFeed', () => {
  it.each(['', ' ', 'a b', 'a:b', '{a}', 'a}', 'a*', 'é', 'a\n', '-a', '.', 'a'.repeat(65)])(
    'refuse the prefix %j',
    (prefix) => {
      expect(() => redisFeed(client, { prefix })).toThrow(refusal(/^prefix: /))
    },
  )

  it.each([
    [{ prefix: 7 }, /^prefix: /],
    [{ allowEviction: 'yes' }, /^allowEviction: /],
    [{ subscriber: client }, /^subscriber: /],
    [{ ttl: 5 }, /^unknown option 'ttl'/],
  ])('refuse %j', (options, message) => {
    expect(() => redisFeed(client, options as object)).toThrow(refusal(message))
  })

  it.each([undefined, null, 'redis://localhost', {}, { callBuffer: true }])(
    'refuse %j as a client',
    (value) => {
      expect(() => redisFeed(value as unknown as RedisFeedClient)).toThrow(refusal(/^client: /))
    },
  )

  it('ask for a subscriber where the client cannot duplicate itself', () => {
    const pool = { sendCommand: async () => null, connect: async () => {}, on: () => {} }
    expect(() => redisFeed(pool)).toThrow(refusal(/^subscriber: /))
    expect(redisFeed(pool, { subscriber: () => client }).info).toEqual({
      name: 'redis',
      push: true,
      durability: 'unknown',
      suggestedPollMs: 1000,
      place: 'redis keys {watchword}:feed*',
    })
  })
})

describe('an answer to the redis feed', () => {
  it('to another call is refused, and so is one that is none', async () => {
    const late = redisFeed(answering(() => ['another call', 'head']))
    await expect(late.head(call)).rejects.toThrow('the reply of another request')
    for (const nothing of [null, undefined, 'OK', 1, [], [null]])
      await expect(redisFeed(answering(() => nothing)).head(call)).rejects.toThrow()
  })

  it('of an old server is refused at the start', async () => {
    const feed = redisFeed(answering((name) => [name, 'old']))
    await expect(feed.open(call.signal)).rejects.toEqual(refusal(/Redis 7/))
  })

  it('may be texts where it is no bytes, and no bytes are taken from a text', async () => {
    const texts = ['epoch', '1', 'link', '1', '5', 'bytes']
    const feed = redisFeed(answering((name) => [name, 'head', ...texts]))
    await expect(feed.head(call)).rejects.toThrow('not bytes')
  })

  it('is not asked for once the signal has aborted', async () => {
    const calls: string[] = []
    const feed = redisFeed(answering((name) => calls.push(name)))
    const signal = AbortSignal.abort(new Error('given up'))
    await expect(feed.head({ ...call, signal })).rejects.toThrow('given up')
    await expect(feed.open(signal)).rejects.toThrow('given up')
    expect(calls).toEqual([])
  })
})
