/** The checks of store and feed when an authority is created. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { memoryFeed, memoryStore } from 'watchword'
import { refuseLostKeys } from '../../../src/authority/start-checks.js'

const NOT_A_TEST = {
  NODE_ENV: 'production',
  VITEST: undefined,
  JEST_WORKER_ID: undefined,
  NODE_TEST_CONTEXT: undefined,
}

const DURABLE = { ...memoryStore(), supports: { durable: true } }
const feedAt = (place: string) => {
  const feed = memoryFeed()
  return { ...feed, info: { ...feed.info, place } }
}

describe('refuseLostKeys', () => {
  it('throws when the keys end with the process and the feed does not', () => {
    expect(() => refuseLostKeys(memoryStore(), feedAt('redis keys x*'))).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(/^store: .*redis keys x\*.*"memory"/),
      }),
    )
  })

  it('accepts a store of a database, and a feed that ends with the process', () => {
    expect(() => refuseLostKeys(DURABLE, feedAt('redis keys x*'))).not.toThrow()
    expect(() => refuseLostKeys(memoryStore(), memoryFeed())).not.toThrow()
  })
})

describe('warnOfMemory', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })

  /** The warnings of a process outside of tests that has not warned before. */
  async function warnings(
    given: { store?: typeof DURABLE; feed?: ReturnType<typeof memoryFeed> },
    times = 1,
  ): Promise<readonly string[]> {
    vi.resetModules()
    for (const [name, value] of Object.entries(NOT_A_TEST)) vi.stubEnv(name, value)
    const spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { warnOfMemory } = await import('../../../src/authority/start-checks.js')
    const options = { store: undefined, feed: undefined, ...given }
    for (let i = 0; i < times; i++) warnOfMemory(options)
    return spy.mock.calls.map(([message]) => String(message))
  }

  it('asks for a store and a feed when both were left out, once per process', async () => {
    expect(await warnings({}, 2)).toEqual([expect.stringContaining('Pass `store` and `feed` to')])
  })

  it('asks for a store alone when a feed was given', async () => {
    expect(await warnings({ feed: memoryFeed() })).toEqual([
      expect.stringContaining('Pass `store` to'),
    ])
  })

  it('asks for a feed when other processes may use the store', async () => {
    expect(await warnings({ store: DURABLE })).toEqual([expect.stringContaining('Pass `feed` to')])
  })

  it('is silent when only this process can use the store, or when both were given', async () => {
    expect(await warnings({ store: { ...DURABLE, supports: { durable: false } } })).toEqual([])
    expect(await warnings({ store: DURABLE, feed: memoryFeed() })).toEqual([])
  })
})
