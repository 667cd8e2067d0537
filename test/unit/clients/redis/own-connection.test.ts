import { describe, expect, it } from 'vitest'
import type { RedisFeedClient } from '../../../../src/clients/redis/feed-client.js'
import { onOwnConnection } from '../../../../src/clients/redis/own-connection.js'

function countingClient() {
  const count = { ended: 0 }
  const client: RedisFeedClient = {
    callBuffer: async () => null,
    on: () => undefined,
    disconnect: () => void count.ended++,
  }
  return { client, count }
}

describe('onOwnConnection', () => {
  it('creates no connection when the signal has aborted', async () => {
    const { client, count } = countingClient()
    let made = 0
    const subscriber = () => {
      made++
      return client
    }
    await onOwnConnection(subscriber, AbortSignal.abort(), () => Promise.reject(new Error('ran')))
    expect([made, count.ended]).toEqual([0, 0])
  })

  it('ends a step that begins after the signal has aborted, and closes the connection', async () => {
    const { client, count } = countingClient()
    const stop = new AbortController()
    let isLate = false
    await onOwnConnection(
      () => client,
      stop.signal,
      async (_, within) => {
        stop.abort()
        await within(new Promise(() => {}))
        isLate = true
      },
    )
    expect([isLate, count.ended]).toEqual([false, 1])
  })

  it('rejects with the error of the work, and closes the connection', async () => {
    const { client, count } = countingClient()
    const failure = new Error('lost')
    const work = () => Promise.reject(failure)
    await expect(onOwnConnection(() => client, new AbortController().signal, work)).rejects.toBe(
      failure,
    )
    expect(count.ended).toBe(1)
  })
})
