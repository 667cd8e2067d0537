/** What the Redis feed makes of the state of a server. `test/faults/redis-feed.test.ts` opens it on real ones. */
import { describe, expect, it } from 'vitest'
import { openFeed } from '../../../../src/feed/redis/open.js'
import { reasonOf } from '../../../../src/lib/failure-reason.js'
import { failureOf } from '../../../support/harness.js'

interface State {
  readonly tag?: string
  readonly policy?: string
  readonly appendOnly?: string
  /** The reply to `CONFIG GET appendfsync`. */
  readonly config?: unknown
  readonly allowEviction?: boolean
}

function open({ tag = 'master', policy = 'noeviction', appendOnly = '1', ...state }: State) {
  const asked: unknown[] = []
  const command = async (key: string, args: readonly unknown[]) => {
    asked.push([key, ...args])
    if (state.config instanceof Error) throw state.config
    return state.config
  }
  const run = async () => ({ tag, rest: [policy, appendOnly].map((text) => Buffer.from(text)) })
  const durability = openFeed(run, command, 'key', state.allowEviction ?? false)
  return { durability, asked }
}

const always = Buffer.from('always')
const name = Buffer.from('appendfsync')

describe('a server without a replica', () => {
  it.each<[string, unknown]>([
    ['a list', [name, always]],
    ['a map', new Map([['appendfsync', always]])],
    ['an object', { appendfsync: always }],
  ])('keeps an append on its disk if it reports so in %s', async (_, config) => {
    const { durability, asked } = open({ config })
    expect(await durability).toBe('fsync')
    expect(asked).toEqual([['key', 'CONFIG', 'GET', 'appendfsync']])
  })

  it('keeps an append in its process if it writes to the disk later', async () => {
    const { durability } = open({ config: [name, Buffer.from('everysec')] })
    expect(await durability).toBe('process')
  })

  it('keeps an append in its process, and is asked no more, if it has no append-only file', async () => {
    const { durability, asked } = open({ appendOnly: '0' })
    expect(await durability).toBe('process')
    expect(asked).toEqual([])
  })

  it.each([new Error('NOPERM'), null, undefined, [], {}, new Map(), [name, 'always']])(
    'does not say what an append survives if it replies %j',
    async (config) => {
      expect(await open({ config }).durability).toBe('unknown')
    },
  )
})

describe('a server that the feed cannot use', () => {
  it('is rejected as an outage if it is a replica, which may become the primary', async () => {
    const error = await failureOf(() => open({ tag: 'slave' }).durability)
    expect(error).toMatchObject({ code: 'ERR_FEED_UNAVAILABLE' })
    expect(reasonOf(error)).toBe('read_only')
  })

  it('is rejected if it is too old', async () => {
    await expect(open({ tag: 'old' }).durability).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/Redis 7/),
    })
  })

  it('is rejected if it may evict keys, unless that is allowed', async () => {
    const state = { policy: 'allkeys-lru', config: [name, always] }
    await expect(open(state).durability).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
    expect(await open({ ...state, allowEviction: true }).durability).toBe('fsync')
  })
})
