/**
 * The types for writing a store of your own. `storeContract` of `watchword/testkit` tests it.
 *
 * @module
 */
export type {
  AuditEntry,
  AuditFilter,
  AuditHead,
  AuditLeaf,
  AuditListPage,
  AuditRow,
  AuditStore,
} from './audit.js'
export type {
  RestrictionKind,
  RestrictionPage,
  RestrictionRecord,
  RestrictionStore,
  RestrictionTarget,
  RestrictionWrite,
} from './restrictions.js'
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
  TokenDetails,
  TokenFilter,
  TokenListPage,
  TokenRecord,
  Usage,
} from './store.js'
export type {
  CallerUse,
  ScopeUse,
  UsageGap,
  UsageLife,
  UsagePage,
  UsagePurge,
  UsageQuery,
  UsageRow,
  UsageStore,
} from './usage.js'
