/**
 * Discards a key that no root key can unwrap, so its audience can have a new one.
 *
 * @module
 */
import { ulid } from 'ulid'
import type { StoreCall } from '../observe/failures.js'
import type { AuditRow } from '../store/audit.js'
import type { KeyRecord, Store } from '../store/store.js'
import { DISCARDED } from './discarded.js'
import { MAX_SKEW_MS } from './rotation.js'

/** The actor, time and reason of a discard. */
export interface Discard {
  readonly actor: string
  readonly at: number
  readonly reason: string | null
  /** The rows of the audit. */
  readonly rows?: readonly AuditRow[] | undefined
}

/**
 * Revokes the key in the store, then overwrites its wrapping, so no node tries to open it again. Safe to repeat after
 * an outage. Resolves with whether it was overwritten, and not by another node before.
 */
export async function discardRow(
  store: Store,
  { id, wrapped, expiresAt }: KeyRecord,
  { actor, at, reason, rows }: Discard,
  call: StoreCall,
): Promise<boolean> {
  const revocation = {
    id: ulid(at),
    kind: 'key',
    value: id,
    before: at,
    at,
    actor,
    reason,
    family: null,
    generation: null,
    // The keys that could tag it may be the lost ones. A revocation without a tag is still effective.
    tag: '',
  } as const
  await call(() => store.revoke({ ...revocation, expiresAt: expiresAt + MAX_SKEW_MS }), 'revoke')
  const marked = { wrapped: DISCARDED, wrappedBy: DISCARDED }
  return await call(() => store.rewrapKey(id, wrapped, marked, rows), 'rewrapKey')
}
