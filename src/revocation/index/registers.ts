/**
 * Registers of restrictions: the current state of each restricted target.
 *
 * Of two revisions the higher one wins, so nodes that receive them in any order hold the same state. A register that was
 * lifted stays until it expires: an earlier revision that arrives late is recognised as old.
 *
 * @module
 */
import { bare } from '../../lib/fields.js'
import { endOfState, type Limits, limitsOf, type RestrictionState } from '../../policy/limits.js'
import { FROZEN, MAX_STATE_LENGTH, readState, SUSPENDED } from '../../policy/restriction.js'
import type { RestrictionKind, RestrictionTarget } from '../../store/restrictions.js'
import { isLaterRevision, type RestrictedEntry } from './entries.js'
import type { Outcome } from './outcome.js'

/** The claims of a token by which its registers are found. */
export interface RestrictedFacts {
  readonly id: string
  readonly family: string
  readonly generation: number
  readonly subject: string
  readonly audience: string
}

interface Register {
  entry: RestrictedEntry
  state: RestrictionState
}

// The size of a Map entry, an entry and its state without their texts.
const REGISTER_BYTES = 480

// Fails closed: a newer version may have written a part that this one does not know.
const CLOSED: RestrictionState = Object.freeze(bare({ ...SUSPENDED, ...FROZEN }))

type Table = Map<string, Register>

/** The registers of one node. */
export class Registers {
  readonly #tables: Readonly<Record<RestrictionKind, Table>> = {
    token: new Map(),
    family: new Map(),
    subject: new Map(),
    audience: new Map(),
    freeze: new Map(),
  }
  /** The registers of tokens by family. */
  readonly #descents = new Map<string, Set<Register>>()
  readonly #onUnreadable: () => void
  #textLength = 0
  #forgotten = Number.NEGATIVE_INFINITY
  /** The number of registers. */
  size = 0

  /** @param onUnreadable - Called for each state that this version cannot read. */
  constructor(onUnreadable: () => void = () => undefined) {
    this.#onUnreadable = onUnreadable
  }

  /** The estimated memory used, in bytes. */
  get bytes(): number {
    return this.size * REGISTER_BYTES + 2 * this.#textLength
  }

  /** The current state of a register. */
  get({ kind, value }: RestrictionTarget): RestrictedEntry | undefined {
    return this.#tables[kind].get(value)?.entry
  }

  /**
   * Records one revision.
   *
   * @param room - Whether there is space for one more.
   */
  apply(entry: RestrictedEntry, room: boolean): Outcome {
    const known = this.#tables[entry.target].get(entry.value)
    if (known === undefined) {
      // Rereading the log from the start must not restore registers that were dropped before.
      if (entry.expiresAt <= this.#forgotten) return 'known'
      return room ? this.#add(entry) : 'refused'
    }
    const expiresAt = Math.max(known.entry.expiresAt, entry.expiresAt)
    if (!isLaterRevision(entry, known.entry)) {
      if (expiresAt !== known.entry.expiresAt) known.entry = { ...known.entry, expiresAt }
      return 'known'
    }
    this.#release(known)
    known.entry = { ...entry, expiresAt }
    known.state = this.#read(entry)
    this.#hold(known)
    return 'changed'
  }

  #add(entry: RestrictedEntry): Outcome {
    const register = { entry, state: this.#read(entry) }
    this.#tables[entry.target].set(entry.value, register)
    this.#hold(register)
    this.size++
    return 'added'
  }

  #read({ state }: RestrictedEntry): RestrictionState {
    const read = readState(state)
    if (read === undefined) this.#onUnreadable()
    return read ?? CLOSED
  }

  #hold(register: Register): void {
    const { descent } = register.entry
    this.#textLength += lengthOf(register)
    if (descent === null) return
    const family = this.#descents.get(descent.family)
    if (family === undefined) this.#descents.set(descent.family, new Set([register]))
    else family.add(register)
  }

  #release(register: Register): void {
    const { descent } = register.entry
    this.#textLength -= lengthOf(register)
    if (descent === null) return
    const family = this.#descents.get(descent.family)
    family?.delete(register)
    if (family?.size === 0) this.#descents.delete(descent.family)
  }

  /**
   * Whether the entry would change nothing: the same or a later revision is stored, or it has expired. The expiry of the
   * stored one counts only when it is over, since nodes extend it while it is in force.
   */
  covers(entry: RestrictedEntry): boolean {
    const known = this.get({ kind: entry.target, value: entry.value })
    const isPast = entry.expiresAt <= this.#forgotten
    if (known === undefined) return isPast
    return !isLaterRevision(entry, known) && (isPast || known.expiresAt > this.#forgotten)
  }

  /** What restricts the token at this time; `undefined` if nothing does. */
  limits(token: RestrictedFacts, now: number): Limits | undefined {
    const { family, subject, audience } = this.#tables
    if (this.size === 0) return undefined
    const states: RestrictionState[] = []
    const note = (register: Register | undefined) => {
      if (register !== undefined) states.push(register.state)
    }
    this.#noteDescent(token, note)
    note(family.get(token.family))
    note(subject.get(token.subject))
    note(audience.get(token.audience))
    return states.length === 0 ? undefined : limitsOf(states, now)
  }

  /** The registers of the token itself and of those that it succeeds. */
  #noteDescent(
    { id, family, generation }: RestrictedFacts,
    note: (register: Register) => void,
  ): void {
    const own = this.#tables.token.get(id)
    if (own !== undefined) note(own)
    for (const register of this.#descents.get(family) ?? []) {
      const { descent } = register.entry
      if (register !== own && descent !== null && descent.generation <= generation) note(register)
    }
  }

  /** Until when issue or rotation is frozen: `null` if without end, `undefined` if it is not. */
  frozenUntil(verb: 'issue' | 'rotate', now: number): number | null | undefined {
    const term = this.#tables.freeze.get('')?.state[verb]
    if (term === undefined || (term.until !== null && term.until <= now)) return undefined
    return term.until
  }

  /** All registers, lifted ones included. */
  *entries(): Generator<RestrictedEntry> {
    for (const table of Object.values(this.#tables))
      for (const { entry } of table.values()) yield entry
  }

  /** Whether the register restricts tokens at this time even if its entry has expired, as after a downtime. */
  outlastsEntry({ kind, value }: RestrictionTarget, now: number): boolean {
    const register = this.#tables[kind].get(value)
    return register !== undefined && !hasEnd(kind) && endOfState(register.state) > now
  }

  /**
   * Drops registers that expired at or before this time and restrict nothing any more: an expired entry alone may only
   * show that no node was running to extend it.
   *
   * @param isExtended - Whether every entry that the store extends has been extended. Expired registers of a token or a
   * family are then dropped as well, since no later token is theirs.
   */
  forget(before: number, isExtended: boolean): void {
    this.#forgotten = before
    for (const table of Object.values(this.#tables)) {
      for (const [value, register] of table) {
        const { target, expiresAt } = register.entry
        const isOver = endOfState(register.state) <= before || (isExtended && hasEnd(target))
        if (expiresAt > before || !isOver) continue
        table.delete(value)
        this.#release(register)
        this.size--
      }
    }
  }
}

// The store knows when the last token of these has expired; the other kinds cover tokens that are issued later.
const hasEnd = (kind: RestrictionKind): boolean => kind === 'token' || kind === 'family'

const lengthOf = ({ entry: { value, state } }: Register): number =>
  value.length + Math.min(state.length, MAX_STATE_LENGTH)
