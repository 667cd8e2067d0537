/**
 * A dry run of a revocation with every store that has a server.
 *
 * @module
 */
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { redisStore } from '../../src/store/redis.js'
import type { Store } from '../../src/store/store.js'
import { checkDryRun, histories, lastingStore } from '../support/dry-runs.js'
import { runs } from '../support/runs.js'
import { serverUrl, uniqueName } from './servers.js'
import { places } from './sql-places.js'

const redisUrl = await serverUrl('redis')

interface Opened {
  readonly store: Store
  remove(): Promise<unknown>
}

async function redisPlace(): Promise<Opened> {
  const prefix = uniqueName()
  const client = new Redis(redisUrl ?? '')
  return {
    store: redisStore(client, { prefix }),
    async remove() {
      const keys = await client.keys(`*${prefix}*`)
      if (keys.length > 0) await client.unlink(...keys)
      client.disconnect()
    },
  }
}

const all: Array<[string, () => Promise<Opened>]> = places.map(([name, make]) => [
  name,
  async () => {
    const { store, remove } = await make()
    await store.migrate()
    return { store, remove }
  },
])
if (redisUrl !== undefined) all.push(['redis', redisPlace])

describe.each(all)('a dry run with a store of %s', (_, make) => {
  it('changes nothing, and lists exactly the tokens that the revocation then rejects', async () => {
    let rejected = 0
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const { store, remove } = await make()
        try {
          rejected += await checkDryRun(lastingStore(store), history)
        } finally {
          await remove()
        }
      }),
      { numRuns: runs(20) },
    )
    expect(rejected).toBeGreaterThan(0)
  })
})
