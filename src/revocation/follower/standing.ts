/**
 * The relation of a node to the others, as reported by `health()`.
 *
 * @module
 */
import type { AgreedTime } from './agreed-time.js'
import type { Members } from './members.js'
import type { Witness, WitnessKind } from './witness.js'

/** The other nodes, and the evidence that this node reads the same log. */
export interface Standing {
  /** Every other node that follows the log, by name, with the age of its last sign in milliseconds. */
  readonly members: readonly { readonly node: string; readonly lastSignMs: number }[]
  /** Whether no other node is known that may be running. This node's own writes then prove that it reads the log. */
  readonly alone: boolean
  /** The source of the last freshness proof: seals of other members, the store, this node's own seal, or nothing. */
  readonly witness: WitnessKind
  /** Whether store and feed are known to run on one server. The store then cannot show that the log was split. */
  readonly sharedServer: boolean
  /** How far this node's clock is ahead of the agreed time, in milliseconds; `null` if there is none. */
  readonly clockAheadMs: number | null
}

/** Computes the standing. */
export function standingOf(members: Members, witness: Witness, time: AgreedTime): Standing {
  const others = members.others()
  return {
    members: others.map(({ name, lastSignMs }) => ({ node: name, lastSignMs })),
    alone: others.length === 0,
    witness: witness.kind,
    sharedServer: witness.sharesServer,
    clockAheadMs: time.ahead ?? null,
  }
}
