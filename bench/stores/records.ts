/**
 * Records that a store is filled with: each follows from its number, so that any page of them can be foretold.
 *
 * @module
 */
import { encodeTime } from 'ulid'
import type { Store, TokenRecord } from '../../src/store/store.js'
import { AUDIENCE, SCOPE } from '../fixture.js'

/** How many tokens each subject has, however many there are: a page of a subject has as many rows at any size. */
const PER_SUBJECT = 100
const BATCH = 1000
const DAY = 86_400_000

/** A filled store's records, none of which is stored twice. */
export class Records {
  readonly count: number
  readonly subjects: number
  readonly #keyId: string
  readonly #start: number

  constructor(count: number, keyId: string, now: number) {
    this.count = count
    this.subjects = count / PER_SUBJECT
    this.#keyId = keyId
    // In the past, so that what the bench itself issues comes after all of them.
    this.#start = now - 2 * DAY
  }

  /** The id of a record: in the order of the numbers, as those of tokens are in the order of time. */
  id(number: number): string {
    return encodeTime(this.#start + number, 10) + String(number).padStart(16, '0')
  }

  subject(number: number): string {
    return `svc_${String(number % this.subjects).padStart(5, '0')}`
  }

  /** One in four tokens of every subject is rejected, half of them revoked and half superseded. */
  isLive(number: number): boolean {
    return this.#random(number) >= 64
  }

  /** The record of a number. */
  record(number: number): TokenRecord {
    const id = this.id(number)
    const issuedAt = this.#start + number
    const expiresAt = issuedAt + 30 * DAY
    const fate = this.#random(number)
    const isRevoked = fate < 32
    return {
      id,
      family: id,
      generation: 0,
      predecessor: null,
      successor: null,
      subject: this.subject(number),
      audience: AUDIENCE,
      policy: 'service',
      policyVersion: 1,
      scopes: [SCOPE],
      keyId: this.#keyId,
      issuedAt,
      notBefore: null,
      expiresAt,
      familyIssuedAt: issuedAt,
      familyExpiresAt: expiresAt,
      issuedBy: 'bench',
      ttl: 30 * DAY,
      rotatable: true,
      tag: `v4.local.${'A'.repeat(86)}`,
      label: null,
      owner: null,
      purpose: null,
      hint: 'AAAA',
      detailsTag: '',
      supersededAt: !isRevoked && fate < 64 ? issuedAt + DAY : null,
      revokedAt: isRevoked ? issuedAt + DAY : null,
      revokedBy: isRevoked ? 'bench' : null,
      revokedReason: isRevoked ? 'bench' : null,
      lastUsedAt: null,
    }
  }

  /** The ids of the first so many records, from a number on, that are of this kind. */
  ids(from: number, limit: number, is: (number: number) => boolean = () => true): string[] {
    const ids: string[] = []
    for (let number = from; number < this.count && ids.length < limit; number++)
      if (is(number)) ids.push(this.id(number))
    return ids
  }

  // A number from 0 to 255 that is spread as chance would: a multiplicative hash, after Knuth.
  #random(number: number): number {
    return Math.imul(number + 1, 2654435761) >>> 24
  }
}

/** Inserts all records through the adapter, a thousand at a time. Resolves with the time in milliseconds. */
export async function fill(store: Store, records: Records): Promise<number> {
  await store.open()
  const start = performance.now()
  for (let at = 0; at < records.count; at += BATCH) {
    const size = Math.min(BATCH, records.count - at)
    const batch = Array.from({ length: size }, (_, index) => records.record(at + index))
    const outcome = await store.insertTokens(batch)
    if (outcome !== 'inserted') throw new Error(`filling the store returned '${outcome}'`)
  }
  return performance.now() - start
}
