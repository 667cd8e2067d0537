/** Tests of the fault checker itself: histories that each break one promise, and nodes with false data. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Libsql from 'libsql'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { WatchwordOptions } from 'watchword'
import type { RevocationFeed, SealedHead } from 'watchword/feed'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { type ChaosFeed, type ChaosLog, chaosFeed, chaosLog } from 'watchword/testkit'
import { type SqliteDatabase, sqliteStore } from '../../src/store/sqlite.js'
import { faultsOf, type History } from './feed/checker.js'
import { type LocalNode, MAX_STALENESS_MS, nodeOn } from './feed/node.js'
import type { NodeLog, NodeState, Sighting } from './feed/observer.js'
import { figuresOf, lineOf } from './feed/report.js'
import { instant } from './feed/time.js'

const QUIET: NodeState = {
  live: true,
  position: 'a/1',
  revocations: 1,
  pending: 0,
  pushes: { ends: 0, misses: 0 },
  incidents: {},
}
const REFUSED: Sighting = { acceptedAt: 1000, provenAt: 900, revokedAt: 1010, resurrectedAt: 0 }
const ACCEPTED: Sighting = { acceptedAt: 9000, provenAt: 8990, revokedAt: 0, resurrectedAt: 0 }

function logOf(
  node: string,
  revoked: Partial<Sighting> = {},
  more: Partial<NodeLog> = {},
): NodeLog {
  const sightings = [{ ...REFUSED, ...revoked }, ACCEPTED]
  return { node, sightings, runs: [{ accepted: true, from: 0, to: 9000 }], odd: [], ...more }
}

/** Token 0 was revoked on node a at 1001; token 1 never. */
function historyOf(changes: Partial<History> = {}): History {
  return {
    maxStalenessMs: 1000,
    lossy: false,
    acknowledged: [{ token: 0, by: 'a', at: 1001 }],
    attempted: new Set([0]),
    silences: [],
    logs: [logOf('a'), logOf('b')],
    states: new Map([
      ['a', QUIET],
      ['b', QUIET],
    ]),
    errors: [],
    ...changes,
  }
}

const ofB = (revoked: Partial<Sighting>, more: Partial<NodeLog> = {}) => ({
  logs: [logOf('a'), logOf('b', revoked, more)],
})
const stateOfB = (state: Partial<NodeState>) => ({
  states: new Map([
    ['a', QUIET],
    ['b', { ...QUIET, ...state }],
  ]),
})

describe('the checker', () => {
  it('accepts a sound history', () => {
    expect(faultsOf(historyOf())).toEqual([])
    expect(faultsOf(historyOf(ofB({ acceptedAt: 1900, revokedAt: 1910 })))).toEqual([])
  })

  it.each<[string, Partial<History>, RegExp]>([
    [
      'accepts after its own acknowledgement',
      { logs: [logOf('a', { acceptedAt: 1002 })] },
      /^I1 a .*ackn/,
    ],
    ['accepts too late', ofB({ acceptedAt: 2100, revokedAt: 2110 }), /^I1 b .* 1099 ms/],
    [
      'has a proof, and lacks the revocation',
      ofB({ acceptedAt: 1500, provenAt: 1400 }),
      /^I1 b .*proof/,
    ],
    ['never refuses', ofB({ revokedAt: 0 }), /^I2 b does not know of 1/],
    ['ends at another position', stateOfB({ position: 'a/2' }), /^I2 .* position: a\/1, a\/2/],
    ['has another number of revocations', stateOfB({ revocations: 2 }), /^I2 .* revocations/],
    ['has pending revocations', stateOfB({ pending: 1 }), /^I2 .* pending/],
    ['accepts again', ofB({ resurrectedAt: 1500 }), /^I3 b accepted 1/],
    ['is live during a silence', { silences: [{ from: 3000, to: 8000, nodes: ['b'] }] }, /^I4 b/],
    ['rejects without a revocation', { attempted: new Set() }, /^I6 a refused 1/],
    ['returns an unexpected code', ofB({}, { odd: ['expired'] }), /^I6 b returned expired/],
    [
      'rejects with an error that is not an outage',
      { errors: ['ERR_NO_SIGNING_KEY'] },
      /ERR_NO_SIGNING_KEY/,
    ],
  ])('finds a node that %s', (_, changes, fault) => {
    expect(faultsOf(historyOf(changes)).join('\n')).toMatch(fault)
  })

  it.each([
    ['ends before the lease does', [{ accepted: true, from: 0, to: 3900 }], 0],
    ['begins after the silence', [{ accepted: true, from: 8001, to: 9000 }], 0],
    ['refuses', [{ accepted: false, from: 0, to: 9000 }], 0],
    ['begins in the silence', [{ accepted: true, from: 7000, to: 9000 }], 1],
    ['ends in the silence', [{ accepted: true, from: 0, to: 4100 }], 1],
  ])('evaluates a run that %s', (_, runs, faults) => {
    const silences = [{ from: 3000, to: 8000, nodes: ['b'] }]
    const history = historyOf({ silences, ...ofB({}, { runs }) })
    expect(faultsOf(history)).toHaveLength(faults)
  })

  it('prints the figures in one line', () => {
    const history = historyOf(
      ofB(
        { acceptedAt: 1031 },
        {
          runs: [
            { accepted: true, from: 0, to: 3900 },
            { accepted: true, from: 8200, to: 9000 },
          ],
        },
      ),
    )
    const figures = figuresOf(
      { ...history, logs: history.logs.slice(1) },
      { hurtAt: 3000, healedAt: 7500, backAt: 8000, silent: true },
    )
    expect(figures).toEqual({
      acknowledged: 1,
      lost: 0,
      staleAfterMs: 900,
      liveAfterMs: 200,
      slowestMs: 30,
      incidents: '',
    })
    expect(lineOf('redis', 'kill', figures)).toMatch(
      /^redis +kill +1 acked +0 lost +stale after 0\.90 s +live after 0\.20 s +slowest 30 ms$/,
    )
  })
})

describe('the checker finds a node', async () => {
  await ready
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  /** A correct node, and another one with a false feed or clock. */
  async function pair(
    lie: (feed: ChaosFeed, log: ChaosLog) => RevocationFeed,
    options: (database: string) => Partial<WatchwordOptions> = () => ({}),
  ) {
    const folder = mkdtempSync(join(tmpdir(), 'watchword-liar-'))
    ends.push(() => rmSync(folder, { recursive: true, force: true }))
    const database = join(folder, 'store.db')
    const handle = new Libsql(database) as unknown as SqliteDatabase & { close(): void }
    await sqliteStore(handle).migrate()
    handle.close()
    const log = chaosLog()
    const rootKey = exportKey(generateKey())
    const start = async (name: string, feed: RevocationFeed, more = {}): Promise<LocalNode> => {
      const orders = { name, database, rootKey, codes: [], everyMs: 3 }
      const options = { onStart: 'wait', ...more } as const
      const node = await nodeOn(orders, { feed, end: async () => {} }, options)
      ends.push(() => node.close())
      return node
    }
    const remote = chaosFeed(log.feed(), 'calm')
    remote.calm()
    const honest = await start('honest', log.feed())
    const liar = await start('liar', lie(remote, log), options(database))
    const input = { policy: 'job', subject: 'svc', actor: 'test' }
    const tokens = await honest.watchword.issueMany([input, input])
    for (const node of [honest, liar]) node.add(tokens.map(({ token }) => token))
    return { honest, liar, remote, tokens: tokens.map(({ token }) => token) }
  }

  async function faultsIn(
    nodes: readonly LocalNode[],
    acknowledgedAt: number,
    silences: History['silences'] = [],
  ): Promise<string> {
    const history: History = {
      maxStalenessMs: MAX_STALENESS_MS,
      lossy: false,
      acknowledged: acknowledgedAt === 0 ? [] : [{ token: 0, by: 'honest', at: acknowledgedAt }],
      attempted: new Set([0]),
      silences,
      logs: await Promise.all(nodes.map((node) => node.log())),
      states: new Map(),
      errors: [],
    }
    return faultsOf(history).join('\n')
  }

  it('when its feed hides new events, and returns and seals its own head', async () => {
    let own: SealedHead | null = null
    const lie = (feed: ChaosFeed): RevocationFeed => ({
      info: feed.info,
      open: (signal) => feed.open(signal),
      head: async (options) => (own ??= await feed.head(options)),
      read: (...args) => feed.read(...args),
      append: () => Promise.reject(new Error('not now')),
      touch: async (_, next) => {
        own = next
        return true
      },
      close: () => feed.close(),
    })
    // The store would reveal the events, so its new rows are hidden as well.
    const blind = (database: string) => {
      const store = sqliteStore(new Libsql(database) as unknown as SqliteDatabase)
      const nothing = { revocations: [], superseded: [], restrictions: [], more: false }
      const changes = async (after: string | null) => ({ ...nothing, cursor: after ?? '0' })
      return { store: { ...store, changes, listRevocations: async () => [] } }
    }
    const { honest, liar, tokens } = await pair(lie, blind)
    await honest.revoke(tokens[0] as string)
    const at = instant()
    await sleep(MAX_STALENESS_MS + 300)
    expect(await faultsIn([honest, liar], at)).toMatch(/^I1 liar accepted token 0 \d{4} ms/)
  })

  it('when its clock stands still, so that no proof ever expires', async () => {
    let stopped: readonly [wall: number, steady: number] | undefined
    const clock = {
      now: () => stopped?.[0] ?? Date.now(),
      monotonic: () => stopped?.[1] ?? performance.now(),
    }
    const { honest, liar, remote } = await pair(
      (feed) => feed,
      () => ({ clock }),
    )
    await vi.waitFor(() => expect(liar.watchword.health().status).toBe('live'), 20_000)
    stopped = [Date.now(), performance.now()]
    remote.partition()
    const from = instant()
    await sleep(MAX_STALENESS_MS + 300)
    const silences = [{ from, to: instant(), nodes: ['liar'] }]
    expect(await faultsIn([honest, liar], 0, silences)).toBe('I4 liar was live in a silence')
  })
})
