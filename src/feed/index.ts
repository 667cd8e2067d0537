/**
 * The types for writing a revocation feed of your own. `feedContract` of `watchword/testkit` tests it.
 *
 * @module
 */
export type {
  Appended,
  CallOptions,
  Durability,
  FeedIncidentKind,
  FeedInfo,
  FeedSnapshot,
  Position,
  RevocationFeed,
  SealedEvent,
  SealedHead,
  WatchHint,
} from './feed.js'
