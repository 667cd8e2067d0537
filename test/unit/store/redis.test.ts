import { describe, expect, it } from 'vitest'
import { tokenArgs } from '../../../src/store/redis/rows.js'
import { type NodeRedisCluster, type RedisClient, redisStore } from '../../../src/store/redis.js'
import { fixtures } from '../../../src/testkit/store/fixtures.js'

type Reply = (call: string, args: readonly string[]) => unknown

/** A client with the shape of ioredis whose replies are made from the call's name and the script's arguments. */
function replying(reply: Reply): RedisClient {
  return { call: async (_, [, , , call = '', ...args]) => reply(call, args) }
}

describe('the options of redisStore', () => {
  const client = replying(() => null)

  it.each([
    '',
    ' ',
    'a b',
    'a:b',
    '{a}',
    'a}',
    'a*',
    'é',
    'a\r\nb',
    'a\n',
    '-a',
    '.',
    'a'.repeat(65),
  ])('reject the prefix %j', (prefix) => {
    expect(() => redisStore(client, { prefix })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(/^prefix: /),
      }),
    )
  })

  it.each([
    [{ prefix: 7 }, /^prefix/],
    [{ allowEviction: 'yes' }, /^allowEviction/],
    [{ ttl: 5 }, /^unknown option 'ttl'/],
  ])('reject %j', (options, message) => {
    expect(() => redisStore(client, options as object)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(message),
      }),
    )
  })

  it.each([undefined, null, 'redis://localhost', {}, { call: true }])(
    'reject %j as a client',
    (value) => {
      expect(() => redisStore(value as unknown as RedisClient)).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_OPTION',
          message: expect.stringMatching(/^client: /),
        }),
      )
    },
  )

  it('accept every prefix of the pattern', () => {
    for (const prefix of ['a', '0', 'my-app_v2.tokens', 'a'.repeat(64)])
      expect(redisStore(client, { prefix }).name).toBe('redis')
  })
})

describe('a client', () => {
  const sent: unknown[] = []
  const reply = (call: unknown): unknown => [call, 'missing']

  it('of ioredis receives the name, and the arguments as one list', async () => {
    const client: RedisClient = {
      call: async (name, args) => {
        sent.push([name, args[1], args[2], args[4]])
        return reply(args[3])
      },
    }
    expect(await redisStore(client).getToken('id')).toBeUndefined()
    expect(sent.pop()).toEqual(['EVALSHA', '1', '{watchword}:schema', 'id'])
  })

  it('of node-redis receives one list', async () => {
    const client: RedisClient = {
      sendCommand: async (args: string[]) => {
        sent.push([args[0], args[3], args[5]])
        return reply(args[4])
      },
    }
    expect(await redisStore(client, { prefix: 'p' }).getToken('id')).toBeUndefined()
    expect(sent.pop()).toEqual(['EVALSHA', '{p}:schema', 'id'])
  })

  it('of a node-redis cluster receives the key, and is directed to the primary', async () => {
    const client: NodeRedisCluster = {
      masters: [],
      sendCommand: async (key, isReadonly, args) => {
        sent.push([key, isReadonly, args[0]])
        return reply(args[4])
      },
    }
    expect(await redisStore(client).getToken('id')).toBeUndefined()
    expect(sent.pop()).toEqual(['{watchword}:schema', false, 'EVALSHA'])
  })
})

describe('a reply', () => {
  const token = fixtures('redis').token()
  const flat = tokenArgs(token).slice(1)

  it('may consist of buffers', async () => {
    const store = redisStore(
      replying((call) => [
        Buffer.from(call),
        Buffer.from('found'),
        flat.map((x) => Buffer.from(x)),
      ]),
    )
    expect(await store.getToken(token.id)).toEqual(token)
  })

  it('to another call is rejected, and so is a malformed one', async () => {
    const calls: string[] = []
    const late = redisStore(
      replying((call) => {
        calls.push(call)
        return [calls.at(-2) ?? 'none', 'missing']
      }),
    )
    for (let attempt = 0; attempt < 3; attempt++)
      await expect(late.getToken(token.id)).rejects.toThrow('the reply of another request')
    expect(new Set(calls).size).toBe(3)
    for (const nothing of [null, undefined, 'OK', 1, [], [null]])
      await expect(redisStore(replying(() => nothing)).getToken('id')).rejects.toThrow()
  })

  it('with the record of another token is rejected', async () => {
    const store = redisStore(replying((call) => [call, 'found', flat]))
    await expect(store.getToken(fixtures('other').id())).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
    })
  })

  it('of an old server makes the start reject', async () => {
    const store = redisStore(replying((call) => [call, 'old']))
    await expect(store.open()).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/Redis 7/),
    })
  })
})

describe('an error of the server', () => {
  it('is passed on unchanged, without a retry', async () => {
    let calls = 0
    const failure = new Error("READONLY You can't write against a read only replica.")
    const store = redisStore(
      replying(() => {
        calls++
        throw failure
      }),
    )
    await expect(store.listKeys()).rejects.toBe(failure)
    expect(calls).toBe(1)
  })

  it('that reports an unknown script makes the store send the script', async () => {
    const names: string[] = []
    const client: RedisClient = {
      call: async (name, [, , , call]) => {
        names.push(name)
        if (name === 'EVALSHA') throw new Error('NOSCRIPT No matching script. Please use EVAL.')
        return [call, 'rows']
      },
    }
    expect(await redisStore(client).listKeys()).toEqual([])
    expect(names).toEqual(['EVALSHA', 'EVAL'])
  })
})
