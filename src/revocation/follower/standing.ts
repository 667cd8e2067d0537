/**
 * How a node stands among the others: what `health()` says of them.
 *
 * @module
 */
import type { AgreedTime } from './agreed-time.js'
import type { Members } from './members.js'
import type { Witness, WitnessKind } from './witness.js'

/** The other nodes, and what shows that this one reads the same log as they do. */
export interface Standing {
  /** Every other node that follows the log, by name, with how long ago it gave its last sign (milliseconds). */
  readonly members: readonly { readonly node: string; readonly lastSignMs: number }[]
  /** Whether no other node is known that may be running: then this node's own writes prove that it reads the log. */
  readonly alone: boolean
  /** What the last proof of freshness rested on: seals of other members, the store, this node's own seal, or nothing. */
  readonly witness: WitnessKind
  /** Whether store and feed are known to be on one server: then the store cannot show that the log was split. */
  readonly sharedServer: boolean
  /** How far this node's clock is ahead of the agreed time, in milliseconds; `null` while there is none. */
  readonly clockAheadMs: number | null
}

/** Takes the measure of it. */
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
