/**
 * The end of rotated tokens: publishes rotations to the log, and retires a token at the first use of its successor.
 *
 * @module
 */

import type { RotatedEntry } from '../revocation/index/entries.js'
import { readToken } from '../store/checked.js'
import type { TokenRecord } from '../store/store.js'
import type { Verified } from '../types.js'
import type { Core } from './core.js'
import { type IntegrityCore, isSuccession } from './integrity.js'

/** Publishes when the token is superseded, and that every earlier generation of its family is superseded. */
export async function announceRotation(
  core: Core,
  record: TokenRecord,
  from: number | null,
): Promise<void> {
  // The first token of an active family supersedes nothing.
  if (from === null && record.generation === 0) return
  const entry = rotatedEntry(record, from)
  if (!core.announcements.isKnown(entry)) await core.announcements.announce(entry)
}

function rotatedEntry(record: TokenRecord, from: number | null): RotatedEntry {
  const { family: value, generation, expiresAt, familyExpiresAt } = record
  // The expiry of earlier generations is unknown here; the end of the family is never before it.
  const end = generation === 0 ? expiresAt : Math.max(expiresAt, familyExpiresAt)
  return { kind: 'rotated', value, generation, from, expiresAt: end }
}

/**
 * Retires the predecessor of a token at the first use of that token, if the policy requires it. Rejects like the store
 * and the feed; safe to repeat.
 */
export async function retirePredecessor(
  core: IntegrityCore & Pick<Core, 'store' | 'callStore' | 'announcements'>,
  principal: Verified<unknown>,
): Promise<void> {
  const record = await core.callStore(() => readToken(core.store, principal.id))
  if (record === undefined || record.predecessor === null) return
  const predecessorId = record.predecessor
  const predecessor = await core.callStore(() => readToken(core.store, predecessorId))
  const now = core.clock.now()
  if (
    predecessor === undefined ||
    (predecessor.supersededAt !== null && predecessor.supersededAt <= now)
  )
    return
  // An edited row must not end another holder's token. It is reported and not retried.
  if (!(await isSuccession(core, predecessor, record, principal))) return
  const { subject, audience, policy, family } = predecessor
  const event = core.trail.draft({
    action: 'token.superseded',
    actor: 'system',
    id: predecessorId,
    subject,
    audience,
    policy,
    family,
  })
  // The store is written last: it marks the work as done, so the nodes must have been notified by then.
  await core.announcements.announce(rotatedEntry(predecessor, now))
  await core.callStore(() => core.store.supersede(predecessorId, now, event.rows), 'supersede')
  // Another node may have been first.
  core.trail.written(event, false)
}
