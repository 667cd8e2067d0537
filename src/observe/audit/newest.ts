/**
 * The newest checkpoint of the store, as one node reads it: authenticated, compared with every checkpoint that the node
 * knows, and remembered. This makes each running node a witness of the audit.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import type { AuditHead, AuditStore } from '../../store/audit.js'
import type { StoreCall } from '../failures.js'
import type { AuditIncidentKind } from '../incident-kind.js'
import { AuditTree } from './audit-tree.js'
import type { AuditSeals } from './seals.js'
import { hashesOf } from './tree.js'
import type { AuditWitness, SeenCheckpoint } from './witness.js'

/** Options of the reader. */
export interface NewestOptions {
  readonly store: AuditStore
  readonly call: StoreCall
  readonly seals: Pick<AuditSeals, 'load' | 'openState'>
  readonly clock: Pick<ResolvedClock, 'reading'>
  readonly witness: AuditWitness
  /** Called once for each newest checkpoint that contradicts what this node knows. */
  readonly onIncident: (kind: AuditIncidentKind) => void
}

/** The newest checkpoint as it was read. */
export interface ReadCheckpoint {
  /** The size that the store states. */
  readonly size: number
  /** The tree; `undefined` if the authority did not seal it, or with a key that is lost. */
  readonly range: AuditTree | undefined
  /** Whether the key that it names is lost. */
  readonly isUnreadable: boolean
  /** Whether the key that it names could not be looked up. */
  readonly isOutOfReach: boolean
}

/** Reads the newest checkpoint. */
export class NewestCheckpoint {
  readonly #options: NewestOptions
  #last: Last = {
    ...{ head: { size: 0, state: '' }, size: 0 },
    ...{ range: new AuditTree(0, [], 0), isUnreadable: false, isOutOfReach: false },
  }

  constructor(options: NewestOptions) {
    this.#options = options
  }

  /** Reads the newest checkpoint, remembers it, and reports it if it contradicts what was known before. */
  async read(): Promise<ReadCheckpoint> {
    const { store, call, clock, witness } = this.#options
    // Taken before the read: the node may learn of a later checkpoint in the meantime.
    const [known, last, seenAt] = [witness.seen, this.#last, clock.reading()]
    const head = await call(() => store.head())
    const { size, state } = head
    if (size === last.head.size && state === last.head.state) return { ...last, size }
    const opened = await this.#open(head)
    // Decides nothing, and is not remembered: the next read asks for the key again.
    if (opened === 'out of reach')
      return { size, range: undefined, isUnreadable: false, isOutOfReach: true }
    const [range, fault] =
      typeof opened === 'string' ? [undefined, opened] : [opened, faultOf(opened, last, known)]
    const checkpoint = { range, isUnreadable: fault === 'unreadable', isOutOfReach: false }
    if (this.#last === last) this.#last = { head, ...checkpoint, size: range?.size ?? last.size }
    if (range !== undefined) witness.see({ size, root: range.root(), seenAt })
    if (fault !== undefined) this.#options.onIncident(fault)
    return { size, ...checkpoint }
  }

  /** Remembers a checkpoint that this node has made. */
  made(state: string, made: AuditTree): void {
    const { size } = made
    const range = made.copy()
    this.#last = { head: { size, state }, range, isUnreadable: false, isOutOfReach: false, size }
    const { clock, witness } = this.#options
    witness.see({ size, root: range.root(), seenAt: clock.reading() })
  }

  async #open({ size, state }: AuditHead): Promise<AuditTree | AuditIncidentKind | 'out of reach'> {
    if (size === 0 && state === '') return new AuditTree(0, [], 0)
    const { seals } = this.#options
    const isLost = await seals.load([state])
    const opened = seals.openState(state)
    if (opened === 'unknown') return isLost ? 'unreadable' : 'out of reach'
    if (opened === 'tampered' || opened.size !== size) return 'tampered'
    return opened.hashes.length === hashesOf(size)
      ? new AuditTree(size, opened.hashes, opened.untimed)
      : 'tampered'
  }
}

/** The last checkpoint that was read or made. */
interface Last extends ReadCheckpoint {
  readonly head: AuditHead
  /** The size of the last one that was authentic. */
  readonly size: number
}

// After a rollback the tree grows again. Only the step back is reported, not each checkpoint after it.
function faultOf(
  range: AuditTree,
  last: Last,
  known: readonly SeenCheckpoint[],
): AuditIncidentKind | undefined {
  const { size } = range
  if (size < last.size) return size === 0 ? 'missing' : 'rollback'
  const root = range.root()
  const isFork = known.some((each) => each.size === size && each.root !== root)
  return isFork ? 'fork' : undefined
}
