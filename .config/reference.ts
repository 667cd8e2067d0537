/**
 * The reference tables: read from the doc comments of the sources, so that they cannot drift from the code.
 *
 * `npm run reference` writes `.github/REFERENCE.md` and `llms.txt`; a test fails while a file differs from what this
 * writes.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { exportedCodes, rowsOf, unionsWithin } from './doc-comments.js'
import { entries } from './entries.js'
import { LLMS_FILE, llmsPage } from './llms.js'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Section {
  readonly title: string
  readonly intro?: string
  readonly file: string
  /** The interface, class, union or constant whose members are listed. */
  readonly symbol: string
  /** Whether the members have defaults worth a column. */
  readonly defaults?: boolean
  /** Put before each name, such as `keys.`. */
  readonly prefix?: string
}

const SECTIONS: readonly Section[] = [
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
    title: 'Options of a policy',
    file: 'src/options/policy-options.ts',
    symbol: 'PolicyOptions',
    defaults: true,
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
    title: 'Fields of a report of `tokens.usage`',
    file: 'src/verbs/usage-report.ts',
    symbol: 'TokenUsage',
  },
  {
    title: 'Details for `tokens.update`',
    intro: 'An omitted field stays as it is, and `null` removes it.',
    file: 'src/verbs/inputs.ts',
    symbol: 'TokenDetailsInput',
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
  { title: 'Rejection codes', file: 'src/types.ts', symbol: 'RejectionCode' },
  { title: 'Error codes', file: 'src/errors.ts', symbol: 'ERROR_CODES' },
  {
    title: 'Fields of a decision (`watchword:decision`)',
    file: 'src/observe/channels.ts',
    symbol: 'Decision',
  },
  {
    title: 'Fields of an audit event (`watchword:audit`)',
    file: 'src/observe/channels.ts',
    symbol: 'AuditEvent',
  },
  {
    title: 'Actions of an audit event',
    file: 'src/observe/channels.ts',
    symbol: 'AuditAction',
  },
  {
    title: 'Traced operations',
    intro:
      "Each is a tracing channel of `node:diagnostics_channel`: `tracingChannel('watchword:issue')`, and so on.",
    file: 'src/observe/operations.ts',
    symbol: 'OperationName',
  },
  {
    title: 'Fields of a traced operation',
    intro: 'The message of the tracing channels. It is one object for all events of a call.',
    file: 'src/observe/operations.ts',
    symbol: 'Operation',
  },
  {
    title: 'Fields of the `result` of a traced operation',
    file: 'src/observe/operations.ts',
    symbol: 'OperationResult',
  },
  {
    title: 'Metrics of `watchword/otel`',
    intro: 'Names of policies and audiences that are not configured are reported as `other`.',
    file: 'src/observe/otel/metrics.ts',
    symbol: 'METRICS',
  },
  {
    title: 'Attributes of the spans of `watchword/otel`',
    file: 'src/observe/otel/spans.ts',
    symbol: 'SpanAttributes',
  },
  {
    title: 'Fields of `logFields(request)`',
    file: 'src/http/log-fields.ts',
    symbol: 'LogFields',
  },
  {
    title: 'Incidents of the feed',
    file: 'src/observe/incident-kind.ts',
    symbol: 'IncidentKind',
  },
  {
    title: 'Incidents of the audit',
    intro: 'Counted as `audit.<kind>` in `health().incidents`.',
    file: 'src/observe/incident-kind.ts',
    symbol: 'AuditIncidentKind',
  },
  { title: 'Fields of `health()`', file: 'src/authority/health-report.ts', symbol: 'Health' },
  {
    title: 'Fields of `health()` about the fleet',
    file: 'src/revocation/follower/standing.ts',
    symbol: 'Standing',
  },
  {
    title: 'Witnesses of freshness',
    intro: 'The values of `witness` in `health()`.',
    file: 'src/revocation/follower/witness.ts',
    symbol: 'WitnessKind',
  },
  {
    title: 'Reasons of a failure',
    intro: 'The `reason` of `feedFailure` and `storeFailure` in `health()`.',
    file: 'src/lib/failure-reason.ts',
    symbol: 'FailureReason',
  },
  {
    title: 'States of a key',
    file: 'src/keys/rotation.ts',
    symbol: 'KeyState',
  },
  {
    title: 'Reactions to a reused token',
    intro: 'The values of `reuse` in a policy.',
    file: 'src/policy/policy.ts',
    symbol: 'ReuseAction',
  },
  {
    title: 'Kinds of revocations',
    file: 'src/store/records.ts',
    symbol: 'RevocationKind',
  },
  {
    title: 'Kinds of restrictions',
    file: 'src/store/restrictions.ts',
    symbol: 'RestrictionKind',
  },
  {
    title: 'Findings of a report',
    intro: 'The values of `kind` in the findings of `sprawl`.',
    file: 'src/report/types.ts',
    symbol: 'FindingKind',
  },
  {
    title: 'Urgency of a finding',
    intro: 'The values of `risk` in the findings of `sprawl`.',
    file: 'src/report/types.ts',
    symbol: 'Risk',
  },
  {
    title: 'Faults of the audit',
    intro: 'What `audit.verify` reports about the first row that is not as the authority wrote it.',
    file: 'src/observe/audit/fault.ts',
    symbol: 'AuditFaultKind',
  },
  {
    title: 'Durability of a feed',
    intro: 'What an acknowledged append survives.',
    file: 'src/feed/feed.ts',
    symbol: 'Durability',
  },
]

/** The unions of codes that the package exports and the page does not list. */
export function unlistedCodes(): readonly string[] {
  const listed = new Set(SECTIONS.flatMap(({ file, symbol }) => unionsWithin(file, symbol)))
  const exported = new Set(entries.flatMap(({ source }) => exportedCodes(source)))
  return [...exported].filter((name) => !listed.has(name))
}

const cell = (text: string): string => text.replace(/\|/g, '\\|')

function tableOf(section: Section): string {
  const rows = rowsOf(section.file, section.symbol)
  const names = rows.map(({ name }) => `\`${section.prefix ?? ''}${name}\``)
  const lines = section.defaults
    ? [
        '| name | default | meaning |',
        '| --- | --- | --- |',
        ...rows.map(
          ({ fallback, text }, i) => `| ${names[i]} | ${cell(fallback)} | ${cell(text)} |`,
        ),
      ]
    : [
        '| name | meaning |',
        '| --- | --- |',
        ...rows.map(({ text }, i) => `| ${names[i]} | ${cell(text)} |`),
      ]
  const intro = section.intro === undefined ? [] : [section.intro, '']
  return [`## ${section.title}`, '', ...intro, ...lines].join('\n')
}

/** The complete page. */
export function referencePage(): string {
  const head = [
    '# Reference',
    '',
    'Generated from the doc comments of the sources by `npm run reference`. Do not edit it by hand.',
  ].join('\n')
  return `${[head, ...SECTIONS.map(tableOf)].join('\n\n')}\n`
}

/** The path of the page. */
export const REFERENCE_FILE = `${root}.github/REFERENCE.md`

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(REFERENCE_FILE, referencePage())
  writeFileSync(LLMS_FILE, llmsPage())
}
