import { describe, expect, it } from 'vitest'
import type { JetStreamManager } from '../../../../src/clients/nats/client.js'
import { namesOf, openStreams } from '../../../../src/feed/nats/streams.js'

const NAMES = namesOf('a')
const failure = (code: number) => Object.assign(new Error(`error ${code}`), { code })
const MISSING = failure(10059)
const STORE_FAILED = failure(10077)

/** A manager of streams with this configuration, or without streams, whose `add` fails with each of these in turn. */
function manager(config: object | undefined, failures: readonly Error[] = []) {
  const left = [...failures]
  const added: string[] = []
  const streams = {
    info: async () => {
      if (config === undefined) throw MISSING
      return { config }
    },
    add: async ({ name }: { readonly name: string }) => {
      const error = left.shift()
      if (error !== undefined) throw error
      added.push(name)
    },
  }
  return { manager: { streams } as unknown as JetStreamManager, added }
}

describe('openStreams', () => {
  it('creates the streams that are missing', async () => {
    const { manager: jsm, added } = manager(undefined)
    await openStreams(jsm, NAMES, 1)
    expect(added).toEqual(['a_LOG', 'a_SNAP'])
  })

  it('tries once more when the server could not create the files of a stream', async () => {
    const { manager: jsm, added } = manager(undefined, [STORE_FAILED])
    await openStreams(jsm, NAMES, 1)
    expect(added).toEqual(['a_LOG', 'a_SNAP'])
    const { manager: broken } = manager(undefined, [STORE_FAILED, STORE_FAILED])
    await expect(openStreams(broken, NAMES, 1)).rejects.toBe(STORE_FAILED)
  })

  it('rejects with any other error of the server', async () => {
    const denied = failure(10023)
    const { manager: jsm, added } = manager(undefined, [denied])
    await expect(openStreams(jsm, NAMES, 1)).rejects.toBe(denied)
    expect(added).toEqual([])
  })

  it('accepts a stream of a server that leaves out settings which are off', async () => {
    await openStreams(manager({ num_replicas: 3, max_bytes: 0 }).manager, NAMES, 3)
  })

  it.each([
    ['max_age', { num_replicas: 1, max_age: 60e9 }],
    ['num_replicas', { num_replicas: 1 }],
    ['num_replicas', {}],
  ])('rejects a stream that could lose events by its %s', async (field, config) => {
    await expect(openStreams(manager(config).manager, NAMES, 3)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining(field),
    })
  })
})
