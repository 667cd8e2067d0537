/**
 * The parts of an authority that keep the audit.
 *
 * @module
 */
import type { AuditTagger } from '../keys/audit-tagger.js'
import type { ResolvedClock } from '../lib/clock.js'
import { AuditLog } from '../observe/audit/log.js'
import { NewestCheckpoint } from '../observe/audit/newest.js'
import { Sequencer } from '../observe/audit/sequencer.js'
import type { AuditTrail } from '../observe/audit/trail.js'
import { AuditWitness } from '../observe/audit/witness.js'
import type { StoreCall } from '../observe/failures.js'
import type { AuditIncidentKind } from '../observe/incident-kind.js'
import type { ResolvedOptions } from '../options/options.js'
import type { Store } from '../store/store.js'

/** What the audit is made of. */
export interface AuditParts {
  readonly sequencer: Sequencer
  readonly log: AuditLog
}

/** Options of the parts. */
export interface AuditPartsOptions {
  readonly options: ResolvedOptions
  readonly store: Store
  readonly callStore: StoreCall
  readonly clock: ResolvedClock
  /** The time in Unix milliseconds, by the clock of the store if this node's is known to be wrong. */
  readonly now: () => number
  readonly trail: AuditTrail
  readonly seals: AuditTagger
  readonly onIncident: (kind: AuditIncidentKind, count: number) => void
}

/** Creates the parts; `undefined` if the audit is not kept. */
export function makeAuditParts({
  options,
  store: { audit: store },
  callStore: call,
  clock,
  now,
  trail,
  seals,
  onIncident,
}: AuditPartsOptions): AuditParts | undefined {
  if (options.audit === undefined || store === undefined) return undefined
  const { everyMs, keepMs, onCheckpoint } = options.audit
  const witness = new AuditWitness()
  const newest = new NewestCheckpoint({
    ...{ store, call, clock, seals, witness },
    onIncident: (kind) => onIncident(kind, 1),
  })
  const own = trail.own
  const common = { store, call, clock, seals, witness, newest, own, origin: options.issuer }
  const sequencer = new Sequencer({
    ...{ ...common, trail, everyMs, onCheckpoint },
    onForged: (id) =>
      trail.noteOnce(id, { action: 'store.tampered', actor: 'system', target: 'audit', id }),
    onDeleted: (count) => onIncident('deleted', count),
  })
  return { sequencer, log: new AuditLog({ ...common, now, sequencer, keepMs }) }
}
