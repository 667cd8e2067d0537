/**
 * The parts of an authority that keep the audit.
 *
 * @module
 */
import type { AuditTagger } from '../keys/audit-tagger.js'
import type { ResolvedClock } from '../lib/clock.js'
import { AuditLog } from '../observe/audit/log.js'
import { Sequencer } from '../observe/audit/sequencer.js'
import type { AuditTrail } from '../observe/audit/trail.js'
import type { AuditWitness, SeenCheckpoint } from '../observe/audit/witness.js'
import type { StoreCall } from '../observe/failures.js'
import type { ResolvedOptions } from '../options/options.js'
import type { Store } from '../store/store.js'

/** What the audit is made of. */
export interface AuditParts {
  readonly witness: AuditWitness
  readonly sequencer: Sequencer
  readonly log: AuditLog
}

/** Options of the parts. */
export interface AuditPartsOptions {
  readonly options: ResolvedOptions
  readonly store: Store
  readonly callStore: StoreCall
  readonly clock: ResolvedClock
  readonly trail: AuditTrail
  readonly seals: AuditTagger
  readonly witness: AuditWitness
  readonly announce: (checkpoint: SeenCheckpoint) => Promise<unknown>
}

/** Creates the parts; `undefined` if the audit is not kept. */
export function makeAuditParts({
  options,
  store: { audit: store },
  callStore: call,
  clock,
  trail,
  seals,
  witness,
  announce,
}: AuditPartsOptions): AuditParts | undefined {
  if (options.audit === undefined || store === undefined) return undefined
  const { everyMs, keepMs, onCheckpoint } = options.audit
  const common = { store, call, clock, seals, witness, origin: options.issuer }
  const onForged = (id: string) =>
    trail.noteOnce(id, { action: 'store.tampered', actor: 'system', target: 'audit', id })
  const sequencer = new Sequencer({ ...common, trail, everyMs, onCheckpoint, announce, onForged })
  return { witness, sequencer, log: new AuditLog({ ...common, sequencer, keepMs }) }
}
