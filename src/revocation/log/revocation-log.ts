/**
 * The revocation log as used by the verbs.
 *
 * @module
 */
import type { Position } from '../../feed/feed.js'
import type { RevocationEntry } from '../index/entries.js'

/** The nodes that have applied an event, by name, and those that have not confirmed it. */
export interface RollCall {
  readonly position: Position
  readonly applied: readonly string[]
  readonly pending: readonly string[]
}

/** One node's access to the log; a follower implements it. */
export interface RevocationLog {
  readonly time: {
    /** The time for dating an entry, in Unix milliseconds. */
    stamp(): number
    /** Compares this node's clock with the others. Never rejects. */
    look(): Promise<number | undefined>
  }
  /** The last event that this node has applied. */
  readonly position: Position
  /** Whether this node has revoked the entry, or one of the same target, without confirmation from the log. */
  isPending(entry: RevocationEntry): boolean
  /** Pulls for a caller that cannot decide otherwise. Never rejects; the caller checks the lease. */
  confirm(): Promise<void>
  /** Applies what the store received since it was last read. Rejects like the store. */
  readStore(): Promise<void>
  /** Appends entries and asks every running node to confirm that it has applied them. Rejects as an append does. */
  rollCall(entries: readonly RevocationEntry[], timeoutMs: number): Promise<RollCall>
}
