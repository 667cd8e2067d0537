/**
 * The sections about codes, events, metrics and health.
 *
 * @module
 */
import type { Section } from './section.js'

/** Codes, and what is published. */
export const OBSERVED: readonly Section[] = [
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
    title: 'Durability of a feed',
    intro: 'What an acknowledged append survives.',
    file: 'src/feed/feed.ts',
    symbol: 'Durability',
  },
]
