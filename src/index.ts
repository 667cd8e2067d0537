/**
 * The public names of `watchword`.
 *
 * @module
 */
export { createWatchword } from './authority/create.js'
export type { Health } from './authority/health-report.js'
export type { KnownNames, NameOf, NamesOf } from './authority/names.js'
export type { ClaimsInputOf, ClaimsOf, Watchword } from './authority/watchword.js'
export type { WatchwordErrorCode, WatchwordErrorOptions } from './errors.js'
export { ERROR_CODES, WatchwordError } from './errors.js'
export { memoryFeed } from './feed/memory.js'
export type { KeyInfo } from './keys/key-info.js'
export type { KeyWrapper } from './keys/root-key.js'
export type { KeyState } from './keys/rotation.js'
export type { Clock, Timer } from './lib/clock.js'
export type { Duration } from './lib/duration.js'
export type { FailureReason } from './lib/failure-reason.js'
export type { AuditCheckpoint } from './observe/audit/checkpoint.js'
export type { AuditFault, AuditFaultKind } from './observe/audit/fault.js'
export type { AuditPage, AuditRecord } from './observe/audit/log.js'
export type { OcsfEvent } from './observe/audit/ocsf.js'
export { toJsonLines, toOcsf } from './observe/audit/ocsf.js'
export type { AuditListQuery, AuditReadQuery } from './observe/audit/query.js'
export type { AuditReport } from './observe/audit/verify.js'
export type { AuditAction, AuditEvent, Decision, RequestContext } from './observe/channels.js'
export type { Failure } from './observe/failures.js'
export type { AuditIncidentKind, IncidentKind } from './observe/incident-kind.js'
export type { Operation, OperationName, OperationResult } from './observe/operations.js'
export type {
  AuditOptions,
  CacheOptions,
  KeyOptions,
  PolicyOptions,
  RotationsOptions,
  WatchwordOptions,
} from './options/options.js'
export type { UsageOptions } from './options/usage.js'
export type { ReuseAction } from './policy/policy.js'
export type { WitnessKind } from './revocation/follower/witness.js'
export { memoryStore } from './store/memory.js'
export type { RestrictionKind } from './store/restrictions.js'
export type { RevocationKind } from './store/store.js'
export type { CallerUse, ScopeUse } from './store/usage.js'
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
  WatchSignal,
} from './types.js'
export type { DiscardKeyOptions } from './verbs/discard-key.js'
export { discardKey } from './verbs/discard-key.js'
export type {
  DryRunOptions,
  IssueInput,
  RevokeOptions,
  RevokePreview,
  RevokeReceipt,
  RotateOptions,
  TokenCountQuery,
  TokenDetailsInput,
  TokenGroup,
  TokenInfo,
  TokenPage,
  TokenQuery,
  UpdateOptions,
} from './verbs/inputs.js'
export type { IssuedToken, IssuedTokenInfo } from './verbs/issued-token.js'
export type { CompiledRequirement } from './verbs/requirement.js'
export type {
  FreezeOptions,
  Frozen,
  RestoreOptions,
  RestrictedScopes,
  RestrictionInfo,
  RestrictionInfoPage,
  RestrictionPlace,
  RestrictionQuery,
  RestrictionTerm,
  RestrictOptions,
  RestrictReceipt,
  RestrictTarget,
  SuspendOptions,
  UnfreezeOptions,
} from './verbs/restrict-inputs.js'
export type { TokenUsageOptions, UsageTarget } from './verbs/usage.js'
export type { CoverageGap } from './verbs/usage-coverage.js'
export type { TokenUsage, UsageCoverage, UsageNotKept } from './verbs/usage-report.js'
export type { WatchOptions } from './verbs/watch.js'
