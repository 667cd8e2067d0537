/**
 * The parts of a case of the feed contract.
 *
 * @module
 */
import type { SealedEvent } from '../../feed/feed.js'
import type { Fixtures } from './fixtures.js'
import type { Log } from './log.js'

/** What a feed may lack. */
export type Optional = 'touch' | 'watch' | 'snapshot' | 'trim' | 'peek' | 'reset' | 'observe'

/** What a case is given. */
export interface CaseContext {
  /** Fresh, without a log, and open. */
  readonly log: Log
  /** A second instance over the same log, open; in a case that does without, the first itself. */
  readonly other: Log
  /** Opens one more instance over the same log; in a case that needs none, returns the first itself. */
  readonly reopen: () => Promise<Log>
  /** The case's own epochs and events, the same in every run. */
  readonly make: Fixtures
  /** Writes an event as a stranger would, where the options of the kit can. */
  readonly plant?: (event: SealedEvent) => Promise<void>
}

/** One case: it breaks when the rule does. */
export interface FeedCase {
  /** The rule's stable name, the first word of the case's title. */
  readonly rule: string
  readonly title: string
  /** `also`: once on one instance and once across two. `only`: needs two. Default: one instance. */
  readonly across?: 'also' | 'only'
  /** Optional methods that the case needs; a feed without them is exempt. */
  readonly needs?: readonly Optional[]
  run(context: CaseContext): Promise<void>
}
