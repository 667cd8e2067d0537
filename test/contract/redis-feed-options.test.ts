import { describe, expect, it } from 'vitest'
import { type RedisFeedClient, redisFeed } from '../../src/feed/redis.js'

type Reply = (call: string, args: readonly (string | Buffer)[]) => unknown

const call = { signal: new AbortController().signal, deadlineMs: 1000 }

/** A client with the shape of ioredis whose replies are made from the call's name and the script's arguments. */
function replying(reply: Reply): RedisFeedClient {
  return {
    callBuffer: async (_, [, , , name = '', ...args]) => reply(String(name), args),
    duplicate: () => replying(reply),
    disconnect: () => {},
    on: () => {},
  }
}

const client = replying(() => null)

function refusal(message: RegExp): unknown {
  return expect.objectContaining({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(message),
  })
}

describe('the options of redisFeed', () => {
  it.each(['', ' ', 'a b', 'a:b', '{a}', 'a}', 'a*', 'é', 'a\n', '-a', '.', 'a'.repeat(65)])(
    'reject the prefix %j',
    (prefix) => {
      expect(() => redisFeed(client, { prefix })).toThrow(refusal(/^prefix: /))
    },
  )

  it.each([
    [{ prefix: 7 }, /^prefix: /],
    [{ allowEviction: 'yes' }, /^allowEviction: /],
    [{ subscriber: client }, /^subscriber: /],
    [{ ttl: 5 }, /^unknown option 'ttl'/],
  ])('reject %j', (options, message) => {
    expect(() => redisFeed(client, options as object)).toThrow(refusal(message))
  })

  it.each([undefined, null, 'redis://localhost', {}, { callBuffer: true }])(
    'reject %j as a client',
    (value) => {
      expect(() => redisFeed(value as unknown as RedisFeedClient)).toThrow(refusal(/^client: /))
    },
  )

  it('require a subscriber when the client cannot duplicate itself', () => {
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

describe('a reply to the redis feed', () => {
  it('to another call is rejected, and so is a malformed one', async () => {
    const late = redisFeed(replying(() => ['another call', 'head']))
    await expect(late.head(call)).rejects.toThrow('the reply of another request')
    for (const nothing of [null, undefined, 'OK', 1, [], [null]])
      await expect(redisFeed(replying(() => nothing)).head(call)).rejects.toThrow()
  })

  it('of an old server makes the start reject', async () => {
    const feed = redisFeed(replying((name) => [name, 'old']))
    await expect(feed.open(call.signal)).rejects.toEqual(refusal(/Redis 7/))
  })

  it('may contain text for fields other than bytes, and no bytes are taken from text', async () => {
    const texts = ['epoch', '1', 'link', '1', '5', 'bytes']
    const feed = redisFeed(replying((name) => [name, 'head', ...texts]))
    await expect(feed.head(call)).rejects.toThrow('not bytes')
  })

  it('is not requested once the signal has aborted', async () => {
    const calls: string[] = []
    const feed = redisFeed(replying((name) => calls.push(name)))
    const signal = AbortSignal.abort(new Error('given up'))
    await expect(feed.head({ ...call, signal })).rejects.toThrow('given up')
    await expect(feed.open(signal)).rejects.toThrow('given up')
    expect(calls).toEqual([])
  })
})
