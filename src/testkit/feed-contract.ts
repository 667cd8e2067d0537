/**
 * The feed contract as cases: what any adapter must do, by name.
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

/** A test runner, and how to get at a feed. */
export interface FeedContractOptions {
  /** The runner's `describe`. */
  readonly describe: (name: string, body: () => void) => unknown
  /**
   * The runner's `it` or `test`, which waits for the promise. If it passes a context that can `skip`, as those of
   * node:test and vitest do, a case of an optional method that the feed lacks is skipped with it, and says why.
   */
  readonly it: (name: string, body: (...context: unknown[]) => Promise<void>) => unknown
  /** A fresh feed without a log, isolated from every other and not yet opened. Called for each case. */
  readonly createFeed: () => Promise<RevocationFeed>
  /**
   * A second, independent adapter instance over the same log, not yet opened: another connection's view, or another
   * process's. With it, visibility and the races are tested across two instances. A feed that more than one process can
   * reach must bring it. Default: one instance only.
   */
  readonly createTwin?: (feed: RevocationFeed) => Promise<RevocationFeed>
  /**
   * Writes an event into the log past the adapter, as a stranger with access to the broker would: at its `seq`, in the
   * epoch of the head that stands, without moving the head. Default: the case of junk is tested without any.
   */
  readonly plantEvent?: (feed: RevocationFeed, event: SealedEvent) => Promise<void>
  /** How long a push, or the end of what was aborted, may take, in milliseconds. Default: 20 seconds. */
  readonly withinMs?: number
  /** Removes what `createFeed` made, after the feed was closed. Default: nothing. */
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

/** The names of the rules, in the order of the cases. A case's title starts with the name of its rule. */
export const FEED_RULES: readonly string[] = [
  ...new Set(Object.values(AREAS).flatMap((cases) => cases.map(({ rule }) => rule))),
  'lifecycle.twin',
]

/**
 * Registers the cases that every feed must pass, one or more for each sentence of the contract. Needs no server, no
 * sleeps and no particular runner; waits for a push until it comes, and gives up when it has not come within `withinMs`.
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
    it('lifecycle.twin: a feed that others can reach is tested across two instances', async () => {
      await runCase(options, {
        rule: 'lifecycle.twin',
        title: '',
        async run({ log }) {
          holds(
            log.feed.peek !== undefined || createTwin !== undefined,
            'the feed is not only of this process: give createTwin, or its cases prove nothing',
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

/** Runs one case. Resolves with the optional method that it needs and the feed lacks, if there is one. */
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
    // What the runner prints must name the rule, and what went wrong while closing must not hide it.
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
