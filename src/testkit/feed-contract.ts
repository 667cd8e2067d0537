/**
 * The feed contract as named test cases for adapters.
 *
 * @module
 */

import type { RevocationFeed, SealedEvent } from '../feed/feed.js'
import { checkedOptions } from './contract-options.js'
import { appendCases } from './feed/appends.js'
import type { FeedCase, Optional } from './feed/case.js'
import { copyCases } from './feed/copies.js'
import { crashCases } from './feed/crashes.js'
import { fixtures } from './feed/fixtures.js'
import { lifecycleCases } from './feed/lifecycle.js'
import { type Log, logOf, openLog } from './feed/log.js'
import { peekCases } from './feed/peeks.js'
import { raceCases } from './feed/races.js'
import { readCases } from './feed/reads.js'
import { refusalCases } from './feed/refusals.js'
import { observeCases, resetCases } from './feed/resets.js'
import { snapshotCases } from './feed/snapshots.js'
import { within } from './feed/soon.js'
import { touchCases } from './feed/touches.js'
import { trimCases } from './feed/trims.js'
import { watchCases } from './feed/watches.js'
import { holds, named } from './store/case.js'

/** A test runner, and functions that create feeds. */
export interface FeedContractOptions {
  /** The runner's `describe`. */
  readonly describe: (name: string, body: () => void) => unknown
  /**
   * The runner's `it` or `test`, which must await the promise. If its context has a `skip`, as in node:test and vitest,
   * cases of an optional method that the feed lacks are skipped with a reason.
   */
  readonly it: (name: string, body: (...context: unknown[]) => Promise<void>) => unknown
  /** Creates a new feed without a log, isolated from every other and not yet opened. Called for each case. */
  readonly createFeed: () => Promise<RevocationFeed>
  /**
   * Creates a second, independent adapter instance over the same log, not yet opened, like one in another connection or
   * process. The cases then also test visibility and races across two instances. Required for a feed that more than one
   * process can reach. Default: one instance only.
   */
  readonly createTwin?: (feed: RevocationFeed) => Promise<RevocationFeed>
  /**
   * Writes an event into the log without the adapter, like a foreign client of the broker: at its `seq`, in the epoch
   * of the current head, without moving the head. Default: the junk case runs without foreign events.
   */
  readonly plantEvent?: (feed: RevocationFeed, event: SealedEvent) => Promise<void>
  /** The maximum time for a push, or for an aborted call to end, in milliseconds. Default: 20 seconds. */
  readonly withinMs?: number
  /** Removes what `createFeed` created, after the feed is closed. Default: nothing. */
  readonly destroyFeed?: (feed: RevocationFeed) => Promise<void>
}

const AREAS: Readonly<Record<string, readonly FeedCase[]>> = {
  lifecycle: lifecycleCases,
  append: [...appendCases, ...refusalCases],
  read: readCases,
  trim: trimCases,
  touch: touchCases,
  copies: copyCases,
  races: raceCases,
  crashes: crashCases,
  watch: watchCases,
  snapshot: snapshotCases,
  peek: peekCases,
  reset: resetCases,
  observe: observeCases,
}

/**
 * Registers the cases that every feed must pass, one or more for each sentence of the contract. Needs no server, no
 * sleeps and no particular runner. Waits up to `withinMs` for a push.
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import { memoryFeed } from 'watchword/feed/memory'
 * import { feedContract } from 'watchword/testkit'
 *
 * feedContract({ describe, it, createFeed: async () => memoryFeed() })
 * ```
 */
export function feedContract(options: FeedContractOptions): void {
  const { describe, it, createTwin } = checkedOptions(options, 'createFeed')
  describe('the feed contract', () => {
    for (const [area, cases] of Object.entries(AREAS)) {
      describe(area, () => {
        for (const feedCase of cases) {
          const { rule, title, across } = feedCase
          const test = (name: string, twin?: FeedContractOptions['createTwin']) =>
            it(name, async (...context) => {
              const lacking = await runCase(options, feedCase, twin)
              if (lacking !== undefined) skip(context, lacking)
            })
          if (across !== 'only') test(`${rule}: ${title}`)
          if (across !== undefined && createTwin !== undefined) {
            test(`${rule}: ${title}, across two instances`, createTwin)
          }
        }
      })
    }
    it('lifecycle.twin: a feed that other processes can reach is tested across two instances', async () => {
      await runCase(options, {
        rule: 'lifecycle.twin',
        title: '',
        async run({ log }) {
          holds(
            log.feed.peek !== undefined || createTwin !== undefined,
            'other processes can reach the feed: pass createTwin, or its cases prove nothing',
          )
        },
      })
    })
  })
}

function skip([context]: readonly unknown[], lacking: Optional): void {
  const runner = context as { skip?: (reason: string) => void } | undefined
  runner?.skip?.(`not applicable: the feed has no ${lacking}`)
}

/** Runs one case. Resolves with an optional method that the case needs and the feed lacks, if any. */
async function runCase(
  options: FeedContractOptions,
  { rule, title, needs = [], run }: FeedCase,
  createTwin?: FeedContractOptions['createTwin'],
): Promise<Optional | undefined> {
  const opened: RevocationFeed[] = []
  const feed = await options.createFeed()
  const soon = within(options.withinMs ?? 20_000)
  const log = logOf(feed, soon)
  const instance = async (): Promise<Log> => {
    const twin = await createTwin?.(feed)
    if (twin === undefined) return log
    opened.push(twin)
    return await openLog(twin, soon)
  }
  const { plantEvent } = options
  const plant = plantEvent && ((event: SealedEvent) => plantEvent(feed, event))
  let lacking: Optional | undefined
  try {
    opened.push(feed)
    await openLog(feed, soon)
    lacking = needs.find((name) => feed[name] === undefined)
    if (lacking === undefined) {
      const make = fixtures(rule + title)
      const other = await instance()
      await run({ log, other, reopen: instance, make, ...(plant && { plant }) })
    }
  } catch (error) {
    // The reported error must name the rule, so an error while closing must not replace it.
    await closeAll(options, opened).catch(() => undefined)
    throw named(rule, error)
  }
  await closeAll(options, opened)
  return lacking
}

async function closeAll(
  options: FeedContractOptions,
  opened: readonly RevocationFeed[],
): Promise<void> {
  const results = await Promise.allSettled(opened.map((feed) => feed.close()))
  const [feed] = opened
  if (feed !== undefined) await options.destroyFeed?.(feed)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
