/**
 * The key schedule: pure functions of key records and the time.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { KeyRecord } from '../store/store.js'

/** The state of a key at one moment. */
export type KeyState =
  /** Published, but not yet used to seal tokens. */
  | 'pending'
  /** Seals the new tokens of its audience. */
  | 'active'
  /** Seals no more tokens; those that it sealed are still verified. */
  | 'verifying'
  /** Every token that it sealed has expired. */
  | 'expired'
  /** Revoked, with every token that it sealed. */
  | 'revoked'

/** What a node may do with the keys: follow the schedule, create a key if none can seal, or nothing. */
export type KeyDuty = 'schedule' | 'need' | 'none'

/** The key rotation schedule of an authority, in milliseconds. */
export interface KeySchedule {
  /** How long a key seals tokens. */
  readonly rotateEveryMs: number
  /** How long a successor is published before it activates, so every node has it by then. */
  readonly publishAheadMs: number
  /** The maximum lifetime of a token that the key may seal. */
  readonly maxTokenMs: number
}

/** The tolerated clock skew between nodes, in milliseconds. */
export const MAX_SKEW_MS = 60_000

/**
 * The one key of an audience that seals at this time: the highest generation that has activated, has not retired and is
 * not revoked. A node whose clock was far behind may have created a key after that key's retirement.
 */
export function issuingKey<R extends KeyRecord>(records: readonly R[], now: number): R | undefined {
  let newest: R | undefined
  for (const record of records) {
    if (record.revokedAt !== null || record.activatesAt > now || record.retiresAt <= now) continue
    if (newest === undefined || record.generation > newest.generation) newest = record
  }
  return newest
}

/** Until when the existing keys can seal for the audience without a gap; `now` if none can. */
function sealedUntil(records: readonly KeyRecord[], now: number): number {
  let until = now
  for (let key = issuingKey(records, until); key !== undefined; key = issuingKey(records, until)) {
    const { retiresAt } = key
    const after = until
    // A newer key takes over when it activates, and may retire before the previous one would have.
    const takeovers = records.flatMap(({ revokedAt, activatesAt }) =>
      revokedAt === null && activatesAt > after ? [activatesAt] : [],
    )
    until = Math.min(retiresAt, ...takeovers)
  }
  return until
}

/** The state of one key of an audience at this time. */
export function keyState(
  record: KeyRecord,
  ofAudience: readonly KeyRecord[],
  now: number,
): KeyState {
  if (record.revokedAt !== null) return 'revoked'
  if (now >= record.expiresAt) return 'expired'
  if (now < record.activatesAt) return 'pending'
  return issuingKey(ofAudience, now)?.id === record.id ? 'active' : 'verifying'
}

/** The newest generation of an audience, in any state. */
export function newestKey<R extends KeyRecord>(records: readonly R[]): R | undefined {
  return records.reduce<R | undefined>(
    (newest, record) =>
      newest === undefined || record.generation > newest.generation ? record : newest,
    undefined,
  )
}

/**
 * When the audience needs its next key: early enough to publish it with twice the lead time. `share` in [0, 1) spreads
 * the nodes over the window.
 */
export function rotationDueAt(
  records: readonly KeyRecord[],
  schedule: KeySchedule,
  share: number,
  now: number,
): number {
  return sealedUntil(records, now) - Math.round(schedule.publishAheadMs * (2 + share))
}

/** Whether a node with this duty creates a key for the audience now. */
export function lacksKey(
  records: readonly KeyRecord[],
  schedule: KeySchedule,
  share: number,
  now: number,
  duty: KeyDuty,
): boolean {
  if (duty === 'none') return false
  if (duty === 'need') return issuingKey(records, now) === undefined
  return now >= rotationDueAt(records, schedule, share, now)
}

/** The error for a missing sealing key, for a node with this duty. */
export function noKeyError(duty: KeyDuty): WatchwordError {
  const message = 'no key can seal for this audience'
  if (duty !== 'none') return new WatchwordError('ERR_NO_SIGNING_KEY', message)
  const why = 'the clock of this node differs from that of the store by more than a minute'
  return new WatchwordError('ERR_NO_SIGNING_KEY', `${message}: ${why}; correct the clock`)
}

/** The times and the generation of the next key of an audience. */
export type NextKey = Pick<
  KeyRecord,
  'generation' | 'createdAt' | 'activatesAt' | 'retiresAt' | 'expiresAt'
>

/**
 * Plans the next key. `at` is `due` to follow the schedule, `soon` to rotate ahead of it.
 *
 * While a key can still seal, the successor activates when no other key can, or as soon as it has been published, if
 * that is earlier. If none can, it activates immediately, dated a minute ago: the clock of another node may be behind.
 */
export function nextKey(
  records: readonly KeyRecord[],
  schedule: KeySchedule,
  now: number,
  at: 'due' | 'soon',
): NextKey {
  const activatesAt = activation(sealedUntil(records, now), schedule, now, at)
  const retiresAt = Math.max(activatesAt, now) + schedule.rotateEveryMs
  return {
    generation: (newestKey(records)?.generation ?? 0) + 1,
    createdAt: now,
    activatesAt,
    retiresAt,
    expiresAt: retiresAt + schedule.maxTokenMs + MAX_SKEW_MS,
  }
}

function activation(
  sealed: number,
  schedule: KeySchedule,
  now: number,
  at: 'due' | 'soon',
): number {
  if (sealed <= now) return now - MAX_SKEW_MS
  return at === 'due' ? sealed : Math.min(now + schedule.publishAheadMs, sealed)
}
