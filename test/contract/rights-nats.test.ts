/** The permissions of examples/rights.md on NATS are sufficient for the contract of the feed, and all of them necessary. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { natsFeed } from '../../src/feed/nats.js'
import { feedContract } from '../../src/testkit/index.js'
import { hasNatsServer, ownNatsServer } from './nats-server.js'
import { casesOf, firstFailure, listed, ofService } from './rights.js'

const available = hasNatsServer()
// Each feed of the contract is one prefix and one user: permissions name the streams.
const FEEDS = 400
const LINES = listed('nats feed')
const ENTRIES = LINES.filter((line) => line.includes('"')).map((line) => line.trim())

/** Permissions of the page, for a prefix. */
const permissions = (prefix: string, lines = LINES) =>
  `permissions: { ${lines.join('\n').replaceAll('auth', prefix)} }`

/** Replaces an entry of the page by an unused subject: an empty list would allow everything. */
const without = (entry: string) =>
  LINES.map((line) => (line.trim() === entry ? '"no.such.subject"' : line))

// A separate server, since permissions are set in its configuration.
describe.skipIf(!available)('the permissions on NATS', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-rights-'))
  const file = join(folder, 'nats.conf')
  const user = (name: string, allowed: string) => `{ user: ${name}, password: pw, ${allowed} }`
  const known = Array.from({ length: FEEDS }, (_, i) => user(`f${i}`, permissions(`f${i}`)))
  const lacking = ENTRIES.map((entry, i) => user(`m${i}`, permissions(`m${i}`, without(entry))))
  const migrator = user('s', permissions('s', listed('nats migration')))
  writeFileSync(
    file,
    `authorization: { users: [ ${[user('admin', ''), migrator, ...known, ...lacking].join('\n')} ] }`,
  )
  const server = available ? await ownNatsServer('--config', file) : undefined
  const open: NatsConnection[] = []
  const connectAs = async (name: string) => {
    const connection = await connect({ servers: server?.url ?? '', user: name, pass: 'pw' })
    open.push(connection)
    return connection
  }
  afterAll(async () => {
    await Promise.all(open.map((connection) => connection.close()))
    await server?.remove()
    rmSync(folder, { recursive: true })
  })

  const prefixes = new WeakMap<RevocationFeed, string>()
  const feedOf = async (prefix: string): Promise<RevocationFeed> => {
    const connection = await connectAs(prefix)
    const feed = ofService(natsFeed(jetstream(connection), { prefix }))
    prefixes.set(feed, prefix)
    return feed
  }
  const prefixOf = (feed: RevocationFeed) => prefixes.get(feed) ?? 'none'
  async function removeStreams(feed: RevocationFeed): Promise<void> {
    const { streams } = await jetstream(await connectAs('admin')).jetstreamManager()
    for (const stream of ['LOG', 'SNAP'])
      await streams.delete(`${prefixOf(feed)}_${stream}`).catch(() => false)
  }
  /** Creates the two streams, as an operator does. */
  async function makeStreams(prefix: string, as = 'admin'): Promise<void> {
    const feed = natsFeed(jetstream(await connectAs(as)), { prefix })
    await feed.open(new AbortController().signal)
    await feed.close()
  }

  let next = 0
  describe('are sufficient for the feed, once the streams were created', () => {
    feedContract({
      describe,
      it,
      createFeed: async () => {
        const prefix = `f${next++}`
        await makeStreams(prefix)
        return feedOf(prefix)
      },
      createTwin: (feed) => feedOf(prefixOf(feed)),
      destroyFeed: removeStreams,
    })
  })

  it('are sufficient to create the streams', async () => {
    await makeStreams('s', 's')
    const { streams } = await jetstream(await connectAs('admin')).jetstreamManager()
    expect((await streams.info('s_LOG')).config.subjects).toEqual(['s.log'])
    await streams.info('s_SNAP')
  })

  it.each(ENTRIES.map((entry, i) => [entry, i] as const))(
    'the feed fails without %s',
    async (_, i) => {
      const options = {
        createFeed: async () => {
          await makeStreams(`m${i}`)
          return feedOf(`m${i}`)
        },
        destroyFeed: removeStreams,
        withinMs: 3000,
      }
      const cases = casesOf((runner) => feedContract({ ...runner, ...options }))
      expect(await firstFailure(cases)).toBeDefined()
    },
    300_000,
  )
})
