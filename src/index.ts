/**
 * The public names of `watchword`.
 *
 * @module
 */
export { createWatchword } from './authority.js'
export type { Clock, Timer } from './clock.js'
export type { DiscardKeyOptions } from './discard-key.js'
export { discardKey } from './discard-key.js'
export type { Duration } from './duration.js'
export type { WatchwordErrorCode, WatchwordErrorOptions } from './errors.js'
export { ERROR_CODES, WatchwordError } from './errors.js'
export type { FailureReason } from './failure-reason.js'
export type {
  Appended,
  CallOptions,
  Durability,
  FeedInfo,
  FeedSnapshot,
  Position,
  RevocationFeed,
  SealedEvent,
  SealedHead,
  WatchHint,
} from './feed/feed.js'
export { memoryFeed } from './feed/memory.js'
export type { IssueInput } from './issue.js'
export type { IssuedToken, IssuedTokenInfo } from './issued-token.js'
export type { KeyInfo } from './keys/key-info.js'
export type { KeyWrapper } from './keys/root-key.js'
export type { KeyState } from './keys/rotation.js'
export type { KnownNames, NameOf, NamesOf } from './names.js'
export type { AuditAction, AuditEvent, Decision, RequestContext } from './observe/channels.js'
export type { Failure } from './observe/failures.js'
export type { CacheOptions, KeyOptions, PolicyOptions, WatchwordOptions } from './options.js'
export type { ReuseAction } from './policy/policy.js'
export type { CompiledRequirement } from './requirement.js'
export type { IncidentKind } from './revocation/follower-options.js'
export type { RevokeOptions, RevokeReceipt } from './revoke.js'
export type { RotateOptions } from './rotate.js'
export { memoryStore } from './store/memory.js'
export type {
  Changes,
  KeyRecord,
  LiveLimit,
  Matched,
  Page,
  PurgeBefore,
  Purged,
  Revocation,
  RevocationKind,
  Store,
  StoreSupport,
  Succession,
  TokenFilter,
  TokenRecord,
  Usage,
} from './store/store.js'
export type { TokenInfo, TokenPage, TokenQuery } from './tokens.js'
export type {
  AnyClaims,
  LogPosition,
  Rejected,
  RejectionCode,
  Requirement,
  RevokeTarget,
  ScopeRequirement,
  Verified,
  VerifyResult,
} from './types.js'
export type { ClaimsInputOf, ClaimsOf, Health, Watchword } from './watchword.js'
