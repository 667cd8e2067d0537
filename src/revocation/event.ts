/**
 * What a revocation event says, how it is written, and how one event is chained to the next.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import * as z from 'zod/mini'
import type { RevocationKind } from '../store/store.js'

/** One token, dead at once, or from a time on because it was rotated. */
export interface TokenEntry {
  readonly kind: 'token'
  readonly value: string
  /** The token's own expiry: after it, the entry may be forgotten. */
  readonly expiresAt: number
  /** Dead from then on, by rotation; absent: revoked. */
  readonly from?: number
}

/** Everything of one family, subject, key or audience, or all there is, issued at or before a time. */
export interface WatermarkEntry {
  readonly kind: Exclude<RevocationKind, 'token'>
  readonly value: string
  readonly before: number
  readonly expiresAt: number
}

/** What a node holds in memory for as long as a token that it kills could live. */
export type RevocationEntry = TokenEntry | WatermarkEntry

/** The most entries that one event carries. */
export const MAX_ENTRIES = 1000

const time = z.number().check(z.int(), z.nonnegative())
const text = z.string().check(z.maxLength(4096))

const entrySchema = z.union([
  z.strictObject({
    kind: z.literal('token'),
    value: text,
    expiresAt: time,
    from: z.optional(time),
  }),
  z.strictObject({
    kind: z.enum(['family', 'subject', 'key', 'audience', 'all']),
    value: text,
    before: time,
    expiresAt: time,
  }),
])

const eventSchema = z.strictObject({
  v: z.literal(1),
  entries: z.array(entrySchema).check(z.minLength(1), z.maxLength(MAX_ENTRIES)),
})

/** Writes entries as the bytes of one event. */
export function encodeEvent(entries: readonly RevocationEntry[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ v: 1, entries }))
}

/** Reads the bytes of one event, or answers `undefined` for anything that is not exactly one. */
export function decodeEvent(bytes: Uint8Array): readonly RevocationEntry[] | undefined {
  try {
    const parsed = eventSchema.safeParse(
      JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)),
    )
    return parsed.success ? (parsed.data.entries as readonly RevocationEntry[]) : undefined
  } catch {
    return undefined
  }
}

/** The link of an event: it depends on the event and on every one before it. */
export function linkOf(previous: string, bytes: Uint8Array): string {
  return createHash('sha256')
    .update(previous)
    .update('.')
    .update(bytes)
    .digest('base64url')
    .slice(0, 22)
}
