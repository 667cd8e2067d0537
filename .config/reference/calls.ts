/**
 * The sections about what callers pass to the library, and what it returns.
 *
 * @module
 */
import type { Section } from './section.js'

/** Options, inputs and results. */
export const CALLS: readonly Section[] = [
  {
    title: 'Options of `createWatchword`',
    intro:
      "Durations are whole milliseconds, or text: `'250ms'`, `'5s'`, `'15m'`, `'12h'`, `'30d'`, `'2w'`.",
    file: 'src/options/options.ts',
    symbol: 'WatchwordOptions',
    defaults: true,
  },
  {
    title: 'Options of `keys`',
    file: 'src/options/options.ts',
    symbol: 'KeyOptions',
    defaults: true,
    prefix: 'keys.',
  },
  {
    title: 'Options of `cache`',
    file: 'src/options/options.ts',
    symbol: 'CacheOptions',
    defaults: true,
    prefix: 'cache.',
  },
  {
    title: 'Options of `usage`',
    file: 'src/options/usage.ts',
    symbol: 'UsageOptions',
    defaults: true,
    prefix: 'usage.',
  },
  {
    title: 'Options of `audit`',
    file: 'src/options/options.ts',
    symbol: 'AuditOptions',
    defaults: true,
    prefix: 'audit.',
  },
  {
    title: 'Options of a policy',
    file: 'src/options/policy-options.ts',
    symbol: 'PolicyOptions',
    defaults: true,
  },
  {
    title: 'Options of `rotations` of a policy',
    file: 'src/options/policy-options.ts',
    symbol: 'RotationsOptions',
    defaults: true,
    prefix: 'rotations.',
  },
  { title: 'Fields of a requirement', file: 'src/types.ts', symbol: 'Requirement', defaults: true },
  { title: 'Input of `issue`', file: 'src/verbs/inputs.ts', symbol: 'IssueInput', defaults: true },
  {
    title: 'Options of `rotate`',
    file: 'src/verbs/inputs.ts',
    symbol: 'RotateOptions',
    defaults: true,
  },
  {
    title: 'Options of `revoke`',
    file: 'src/verbs/inputs.ts',
    symbol: 'RevokeOptions',
    defaults: true,
  },
  {
    title: 'Further options of `revoke`',
    file: 'src/verbs/inputs.ts',
    symbol: 'DryRunOptions',
    defaults: true,
  },
  {
    title: 'Fields of an issued token',
    intro: 'What `issue` and `rotate` return.',
    file: 'src/verbs/issued-token.ts',
    symbol: 'IssuedToken',
  },
  {
    title: 'Fields of a receipt',
    intro: 'What `revoke` returns.',
    file: 'src/verbs/inputs.ts',
    symbol: 'RevokeReceipt',
  },
  {
    title: 'Fields of a dry run',
    intro: 'What `revoke` with `dryRun: true` returns.',
    file: 'src/verbs/inputs.ts',
    symbol: 'RevokePreview',
  },
  {
    title: 'What `freeze` freezes',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'Frozen',
    defaults: true,
  },
  {
    title: 'Options of `unfreeze`',
    intro: 'Also of `restore`, `suspend`, `restrict` and `freeze`.',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'UnfreezeOptions',
    defaults: true,
  },
  {
    title: 'Further options of `freeze`',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'FreezeOptions',
    defaults: true,
  },
  {
    title: 'Further options of `restore`',
    intro: 'Also of `suspend` and `restrict`.',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'RestoreOptions',
    defaults: true,
  },
  {
    title: 'Further options of `suspend`',
    intro: 'Also of `restrict`.',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'SuspendOptions',
    defaults: true,
  },
  {
    title: 'Further options of `restrict`',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'RestrictOptions',
    defaults: true,
  },
  {
    title: 'Fields of the receipt of a restriction',
    intro: 'What `suspend`, `restrict`, `restore`, `freeze` and `unfreeze` return.',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'RestrictReceipt',
  },
  {
    title: 'Query of `restrictions.list`',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'RestrictionQuery',
    defaults: true,
  },
  {
    title: 'Fields of a restriction',
    intro: 'What `restrictions.get` and `restrictions.list` return.',
    file: 'src/verbs/restrict-inputs.ts',
    symbol: 'RestrictionInfo',
  },
  {
    title: 'Filters of `tokens.list` and `tokens.count`',
    intro: 'A record must match every given field.',
    file: 'src/verbs/inputs.ts',
    symbol: 'TokenCountQuery',
    defaults: true,
  },
  {
    title: 'Further options of `tokens.list`',
    file: 'src/verbs/inputs.ts',
    symbol: 'TokenQuery',
    defaults: true,
  },
  {
    title: 'Fields of a page of `tokens.list`',
    file: 'src/verbs/inputs.ts',
    symbol: 'TokenPage',
  },
  {
    title: 'Fields of a token record (`TokenInfo`)',
    intro: 'Times are Unix milliseconds. A field that does not apply is `null`.',
    file: 'src/store/records.ts',
    symbol: 'TokenRecord',
  },
  {
    title: 'Options of `tokens.usage`',
    file: 'src/verbs/usage.ts',
    symbol: 'TokenUsageOptions',
    defaults: true,
  },
  {
    title: 'Fields of a report of `tokens.usage`',
    file: 'src/verbs/usage-report.ts',
    symbol: 'TokenUsage',
  },
  {
    title: 'Options of `watch`',
    file: 'src/verbs/watch.ts',
    symbol: 'WatchOptions',
    defaults: true,
  },
  {
    title: 'Details for `tokens.update`',
    intro: 'An omitted field stays as it is, and `null` removes it.',
    file: 'src/verbs/inputs.ts',
    symbol: 'TokenDetailsInput',
  },
  {
    title: 'Options of `tokens.update`',
    file: 'src/verbs/inputs.ts',
    symbol: 'UpdateOptions',
    defaults: true,
  },
  {
    title: 'Options of `discardKey`',
    file: 'src/verbs/discard-key.ts',
    symbol: 'DiscardKeyOptions',
    defaults: true,
  },
  {
    title: 'Options of a guard',
    file: 'src/http/options.ts',
    symbol: 'TokenOptions',
    defaults: true,
  },
  {
    title: 'Token endpoints',
    intro: 'The methods of `tokenEndpoints(watchword, options)`.',
    file: 'src/http/endpoints/options.ts',
    symbol: 'EndpointName',
  },
  {
    title: 'Options shared by the token endpoints',
    file: 'src/http/endpoints/options.ts',
    symbol: 'EndpointsOptions',
    defaults: true,
  },
  {
    title: 'Options of the rotation endpoint',
    file: 'src/http/endpoints/options.ts',
    symbol: 'RotationOptions',
    defaults: true,
  },
  {
    title: 'Options of the revocation and introspection endpoints',
    file: 'src/http/endpoints/options.ts',
    symbol: 'AuthorizedOptions',
    defaults: true,
  },
  {
    title: 'Options of the leak endpoint',
    file: 'src/http/endpoints/options.ts',
    symbol: 'LeakOptions',
    defaults: true,
  },
]
