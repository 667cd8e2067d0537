/**
 * The end of rotated tokens: what the log is told of a rotation, and retiring a token at the first use of its successor.
 *
 * @module
 */

import type { RotatedEntry } from '../revocation/log/event.js'
import { readToken } from '../store/checked.js'
import type { TokenRecord } from '../store/store.js'
import type { Verified } from '../types.js'
import { audit, type Core } from './core.js'
import { isSuccession } from './integrity.js'

/** Publishes from when on the token is superseded, and that every earlier generation of its family is. */
export async function announceRotation(
  core: Core,
  record: TokenRecord,
  from: number | null,
): Promise<void> {
  // The first token of a family that is not retired yet supersedes nothing.
  if (from === null && record.generation === 0) return
  const entry = rotatedEntry(record, from)
  if (!core.announcements.isKnown(entry)) await core.announcements.announce(entry)
}

function rotatedEntry(record: TokenRecord, from: number | null): RotatedEntry {
  const { family: value, generation, expiresAt, familyExpiresAt } = record
  // The expiry of earlier generations is not known here; the family's end is never before it.
  const end = generation === 0 ? expiresAt : Math.max(expiresAt, familyExpiresAt)
  return { kind: 'rotated', value, generation, from, expiresAt: end }
}

/**
 * Retires the predecessor of a token that was just seen in use for the first time, where the policy says so. Rejects
 * when the store or the feed does; safe to repeat.
 */
export async function retirePredecessor(core: Core, principal: Verified<unknown>): Promise<void> {
  const record = await core.callStore(() => readToken(core.store, principal.id))
  const predecessorId = record?.predecessor ?? null
  if (record === undefined || predecessorId === null) return
  const predecessor = await core.callStore(() => readToken(core.store, predecessorId))
  const now = core.clock.now()
  if (
    predecessor === undefined ||
    (predecessor.supersededAt !== null && predecessor.supersededAt <= now)
  )
    return
  // A row that was edited must not end the token of another holder. It is reported, and there is nothing to try again.
  if (!(await isSuccession(core, predecessor, record, principal))) return
  const { subject, audience, policy, family } = predecessor
  // The store last: what it has is taken for done, so the nodes must have been told by then.
  await core.announcements.announce(rotatedEntry(predecessor, now))
  await core.callStore(() => core.store.supersede(predecessorId, now), 'supersede')
  audit(core, {
    action: 'token.superseded',
    actor: 'system',
    id: predecessorId,
    subject,
    audience,
    policy,
    family,
  })
}
