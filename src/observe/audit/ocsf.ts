/**
 * Exports the audit: as OCSF events for security information systems, and as JSON Lines.
 *
 * @module
 */
import type { AuditEvent } from '../channels.js'
import { bodyOf } from './event.js'
import type { AuditRecord } from './log.js'

/** An event in the Open Cybersecurity Schema Framework, version 1.3.0. */
export interface OcsfEvent {
  /** 3001 Account Change for the revocation of a subject, 6003 API Activity for everything else. */
  readonly class_uid: 3001 | 6003
  /** 3 Identity & Access Management, 6 Application Activity. */
  readonly category_uid: 3 | 6
  readonly activity_id: number
  /** `class_uid` times 100, plus `activity_id`. */
  readonly type_uid: number
  /** 1 Informational, 3 Medium, 4 High. */
  readonly severity_id: 1 | 3 | 4
  /** 1 Success, 2 Failure. */
  readonly status_id: 1 | 2
  readonly status_code?: string
  /** Unix milliseconds. */
  readonly time: number
  readonly message: string
  readonly metadata: {
    readonly version: '1.3.0'
    readonly product: { readonly name: 'watchword'; readonly vendor_name: 'watchword' }
    /** The id of the row. */
    readonly uid?: string
    readonly sequence?: number
    readonly log_provider: string
  }
  readonly actor: { readonly user: { readonly name: string } }
  readonly api: { readonly operation: string; readonly service: { readonly name: string } }
  readonly src_endpoint: { readonly name: string }
  /** The account, for an Account Change. */
  readonly user?: { readonly uid: string }
  readonly resources?: readonly {
    readonly uid: string
    readonly type: string
    readonly owner?: { readonly user: { readonly uid: string } }
  }[]
  /** The fields of the event that OCSF has no place for. */
  readonly unmapped: Readonly<Record<string, unknown>>
}

const CREATE = 1
const UPDATE = 3
const DELETE = 4
const DISABLE = 5
const OTHER = 99

const ACTIVITIES: Readonly<Record<string, number>> = {
  'token.issued': CREATE,
  'token.rotated': CREATE,
  'token.updated': UPDATE,
  'token.superseded': UPDATE,
  'token.suspended': UPDATE,
  'token.restricted': UPDATE,
  'token.restored': UPDATE,
  frozen: UPDATE,
  unfrozen: UPDATE,
  'key.created': CREATE,
  'key.rewrapped': UPDATE,
  'key.discarded': DELETE,
  revoked: DELETE,
  'store.purged': DELETE,
}

/** Fields that have a place of their own. */
const MAPPED: ReadonlySet<string> = new Set(['at', 'actor', 'action', 'id', 'code'])

/**
 * Converts an event of the audit, or of the channel `watchword:audit`, to OCSF: the classes API Activity (6003) and
 * Account Change (3001).
 *
 * @example
 * ```ts
 * import { createWatchword, toOcsf } from 'watchword'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * for await (const record of watchword.audit.read({})) console.log(JSON.stringify(toOcsf(record)))
 * await watchword.close()
 * ```
 */
export function toOcsf(source: AuditRecord | AuditEvent): OcsfEvent {
  const record = 'event' in source ? source : undefined
  const event = 'event' in source ? source.event : source
  const { action, actor, at, issuer, id, subject, code } = event
  const isAccount = action === 'revoked' && event.target === 'subject' && id !== undefined
  const classUid = isAccount ? 3001 : 6003
  const activity = isAccount ? DISABLE : (ACTIVITIES[action] ?? OTHER)
  const uid = event.keyId !== undefined && id === undefined ? event.keyId : id
  const rest = Object.entries(event).filter(
    ([name, value]) => !MAPPED.has(name) && value !== undefined,
  )
  return {
    class_uid: classUid,
    category_uid: isAccount ? 3 : 6,
    activity_id: activity,
    type_uid: classUid * 100 + activity,
    severity_id: severityOf(action),
    status_id: action === 'refused' ? 2 : 1,
    ...(code === undefined ? {} : { status_code: code }),
    time: at,
    message: action,
    metadata: {
      version: '1.3.0',
      product: { name: 'watchword', vendor_name: 'watchword' },
      ...(record === undefined ? {} : { uid: record.id }),
      ...(record === undefined || record.index === null ? {} : { sequence: record.index }),
      log_provider: issuer,
    },
    actor: { user: { name: actor } },
    api: { operation: operationOf(event), service: { name: 'watchword' } },
    src_endpoint: { name: issuer },
    ...(isAccount ? { user: { uid: id } } : {}),
    ...(isAccount || uid === undefined
      ? {}
      : {
          resources: [
            {
              uid,
              type: typeOf(event),
              ...(subject === undefined ? {} : { owner: { user: { uid: subject } } }),
            },
          ],
        }),
    unmapped: Object.fromEntries([...rest, ...Object.entries(markOf(record))]),
  }
}

/** The mark of a record that its seals do not prove. */
function markOf(record: AuditRecord | undefined): { readonly proved?: false } {
  return record?.proved === false ? { proved: false } : {}
}

/** For a freeze, the field is what was frozen. */
const operationOf = ({ action, operation }: AuditEvent): string =>
  action === 'refused' && operation !== undefined ? operation : action

function typeOf({ target, action }: AuditEvent): string {
  if (target !== undefined) return target
  return action.startsWith('key.') ? 'key' : 'token'
}

function severityOf(action: string): OcsfEvent['severity_id'] {
  if (action === 'store.tampered' || /^(?:feed|audit)\./.test(action)) return 4
  return action === 'token.reused' || action === 'refused' || action === 'key.unreadable' ? 3 : 1
}

/**
 * The events as JSON Lines: one line of canonical JSON for each, which ends with a line feed. `row` is the id of its row.
 * Events that their seals do not prove, because the keys are lost, have the field `proved: false`.
 *
 * @example
 * ```ts
 * import { createWatchword, toJsonLines } from 'watchword'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * for await (const line of toJsonLines(watchword.audit.read({ since: Date.UTC(2026, 0, 1) }))) process.stdout.write(line)
 * await watchword.close()
 * ```
 */
export async function* toJsonLines(
  records: AsyncIterable<AuditRecord>,
): AsyncGenerator<string, void> {
  for await (const record of records) {
    const { id, event } = record
    yield `${bodyOf(id, { ...event, ...markOf(record) })}\n`
  }
}
