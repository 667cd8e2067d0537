/**
 * The types of a case of the feed contract.
 *
 * @module
 */
import type { SealedEvent } from '../../feed/feed.js'
import type { Fixtures } from './fixtures.js'
import type { Log } from './log.js'

/** The optional methods and properties of a feed. */
export type Optional = 'touch' | 'watch' | 'snapshot' | 'trim' | 'peek' | 'reset' | 'observe'

/** The arguments of a case. */
export interface CaseContext {
  /** A new, open feed without a log. */
  readonly log: Log
  /** A second open instance over the same log; the first one itself if the case needs only one. */
  readonly other: Log
  /** Opens one more instance over the same log; returns the first one itself if the case needs only one. */
  readonly reopen: () => Promise<Log>
  /** The case's own epochs and events, the same in every run. */
  readonly make: Fixtures
  /** Writes an event like a foreign client, if the options of the kit support it. */
  readonly plant?: (event: SealedEvent) => Promise<void>
}

/** One case: it fails if the adapter breaks the rule. */
export interface FeedCase {
  /** The rule's stable name, the first word of the case's title. */
  readonly rule: string
  readonly title: string
  /** `also`: once on one instance and once across two. `only`: needs two. Default: one instance. */
  readonly across?: 'also' | 'only'
  /** Optional methods that the case needs; it is skipped for a feed without them. */
  readonly needs?: readonly Optional[]
  run(context: CaseContext): Promise<void>
}
