/** What becomes of pooled connections that fail or do not respond, on a clock that the test winds. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type PoolAdapter,
  withPooledConnection,
} from '../../../../src/clients/sql/with-connection.js'

const never = () => new Promise<never>(() => {})

/** A pool that records what happens to its connections. */
function pool({ idle = 0, take = async () => 'connection' }: Partial<PoolOptions> = {}) {
  const log = { released: 0, destroyed: [] as string[], checks: 0 }
  const adapter: PoolAdapter<string> = {
    take,
    release: () => void log.released++,
    destroy: (_, { message }) => void log.destroyed.push(message),
    pool: {},
    idle: () => idle,
    check: () => {
      log.checks++
      return never()
    },
  }
  return { adapter, log }
}

interface PoolOptions {
  readonly idle: number
  readonly take: () => Promise<string>
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('withPooledConnection', () => {
  it('returns the connection to the pool after the work', async () => {
    const { adapter, log } = pool()
    expect(await withPooledConnection(adapter, async (name) => name)).toBe('connection')
    expect(log).toEqual({ released: 1, destroyed: [], checks: 0 })
  })

  it('destroys the connection with an error, also when the work rejects with another value', async () => {
    const { adapter, log } = pool()
    const reject = (reason: unknown) => withPooledConnection(adapter, () => Promise.reject(reason))
    await expect(reject(new Error('lost'))).rejects.toThrow('lost')
    await expect(reject('text')).rejects.toBe('text')
    expect(log.destroyed).toEqual(['lost', 'text'])
  })

  it('returns a connection that comes after the signal has aborted, without using it', async () => {
    let give: (connection: string) => void = () => {}
    const take = () =>
      new Promise<string>((resolve) => {
        give = resolve
      })
    const { adapter, log } = pool({ take })
    const stop = new AbortController()
    let ran = 0
    const work = async () => ran++
    const call = withPooledConnection(adapter, work, stop.signal)
    const failed = expect(call).rejects.toThrow('given up')
    stop.abort(new Error('given up'))
    await failed
    give('late')
    await vi.advanceTimersByTimeAsync(0)
    expect([log.released, log.destroyed.length, ran]).toEqual([1, 0, 0])
  })

  it('destroys connections that stay silent after the signal, and checks the idle ones once', async () => {
    const { adapter, log } = pool({ idle: 2 })
    const stop = new AbortController()
    const call = () => withPooledConnection(adapter, never, stop.signal)
    const both = Promise.allSettled([call(), call()])
    await vi.advanceTimersByTimeAsync(0)
    stop.abort(new Error('given up'))
    await vi.advanceTimersByTimeAsync(900)
    expect(log.destroyed).toEqual([])
    await vi.advanceTimersByTimeAsync(200)
    await both
    expect(log).toMatchObject({ destroyed: ['given up', 'given up'], checks: 2 })
    // The checks get no response either, within a second and the delay of the signal.
    await vi.advanceTimersByTimeAsync(2000)
    expect(log.destroyed).toHaveLength(4)
  })
})
