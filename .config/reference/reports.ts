/**
 * The sections about the kept audit and about reports.
 *
 * @module
 */
import type { Section } from './section.js'

const QUERY = 'src/observe/audit/query.ts'
const LOG = 'src/observe/audit/log.ts'
const OPTIONS = 'src/report/options.ts'
const TYPES = 'src/report/types.ts'

/** What `watchword.audit` and `watchword/report` take and return. */
export const REPORTS: readonly Section[] = [
  {
    title: 'Filters of `audit.list` and `audit.read`',
    intro: 'An event must match every given field.',
    file: QUERY,
    symbol: 'AuditReadQuery',
    defaults: true,
  },
  {
    title: 'Further options of `audit.list`',
    file: QUERY,
    symbol: 'AuditListQuery',
    defaults: true,
  },
  { title: 'Fields of a page of `audit.list`', file: LOG, symbol: 'AuditPage' },
  {
    title: 'Fields of a record of the audit',
    intro: 'What `audit.list` and `audit.read` return, and `toJsonLines` and `toOcsf` take.',
    file: LOG,
    symbol: 'AuditRecord',
  },
  {
    title: 'Fields of a report of `audit.verify`',
    file: 'src/observe/audit/verify.ts',
    symbol: 'AuditReport',
  },
  {
    title: 'Fields of a fault of the audit',
    intro: 'The `first` of a report of `audit.verify`.',
    file: 'src/observe/audit/fault.ts',
    symbol: 'AuditFault',
  },
  {
    title: 'Faults of the audit',
    intro: 'What `audit.verify` reports about the first row that is not as the authority wrote it.',
    file: 'src/observe/audit/fault.ts',
    symbol: 'AuditFaultKind',
  },
  {
    title: 'Fields of a checkpoint',
    intro: 'What `audit.checkpoint` returns.',
    file: 'src/observe/audit/checkpoint.ts',
    symbol: 'AuditCheckpoint',
  },
  {
    title: 'Options of `sprawl`, `minimise` and `impact`',
    file: OPTIONS,
    symbol: 'ReportOptions',
    defaults: true,
  },
  {
    title: 'Further options of `sprawl`',
    file: OPTIONS,
    symbol: 'SprawlOptions',
    defaults: true,
  },
  {
    title: 'Fields of every report',
    file: TYPES,
    symbol: 'ReportHead',
  },
  { title: 'Fields of the coverage of a report', file: TYPES, symbol: 'Coverage' },
  { title: 'Fields of a report of `sprawl`', file: TYPES, symbol: 'SprawlReport' },
  { title: 'Fields of a finding of `sprawl`', file: TYPES, symbol: 'Finding' },
  {
    title: 'Findings of a report',
    intro: 'The values of `kind` in the findings of `sprawl`.',
    file: TYPES,
    symbol: 'FindingKind',
  },
  {
    title: 'Urgency of a finding',
    intro: 'The values of `risk` in the findings of `sprawl`.',
    file: TYPES,
    symbol: 'Risk',
  },
  { title: 'Fields of a report of `minimise`', file: TYPES, symbol: 'MinimiseReport' },
  {
    title: 'Fields of the need of one token',
    intro: 'The `tokens` of a report of `minimise`.',
    file: TYPES,
    symbol: 'TokenNeed',
  },
  { title: 'Fields of a report of `impact`', file: TYPES, symbol: 'ImpactReport' },
]
