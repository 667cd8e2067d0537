/**
 * The state of a restriction, and what all restrictions of one token amount to at one time.
 *
 * Suspension, the enforced limit and the limit on trial are separate parts, so that changing one never lifts another.
 *
 * @module
 */

/** When a part ends by itself, in Unix milliseconds; `null` if it does not. */
export interface Term {
  readonly until: number | null
}

/** A limit of scopes. Has at least one of its lists. */
export interface ScopeLimit extends Term {
  /** All other scopes are lost. 1 to 64 scopes, normalised. */
  readonly to?: readonly string[]
  /** Patterns of scopes that are lost. 1 to 64 patterns, sorted. */
  readonly deny?: readonly string[]
}

/** What a register restricts. Without parts it restricts nothing. */
export interface RestrictionState {
  /** Every token is refused. */
  readonly suspended?: Term
  /** The scopes are limited. */
  readonly enforced?: ScopeLimit
  /** What the limit would refuse is reported, and passes. */
  readonly reported?: ScopeLimit
  /** No node issues tokens. */
  readonly issue?: Term
  /** No node rotates tokens. */
  readonly rotate?: Term
}

/** The scopes that are left: those covered by a list, except those that a pattern matches. */
export interface Bounds {
  /** The lists that bound the scopes; each applies. */
  readonly to: readonly (readonly string[])[]
  /** The patterns of scopes that are lost. */
  readonly deny: readonly string[]
}

/** The restrictions of a token at one time. */
export interface Limits extends Bounds {
  readonly suspended: boolean
  /** What would apply as well if the limits on trial were enforced; `undefined` if none are. */
  readonly trial: Bounds | undefined
  /** When one of them ends, in Unix milliseconds: the limits must then be computed again. */
  readonly until: number
}

/** When the last part of the state ends: infinite if one does not, 0 without parts. */
export function endOfState(state: RestrictionState): number {
  const { suspended, enforced, reported, issue, rotate } = state
  const ends = [suspended, enforced, reported, issue, rotate].map((term) =>
    term === undefined ? 0 : (term.until ?? Number.POSITIVE_INFINITY),
  )
  return Math.max(...ends)
}

interface Lists {
  readonly to: (readonly string[])[]
  readonly deny: string[]
}

/** The limits of all states of one token at this time; `undefined` if none of them restricts it. */
export function limitsOf(states: readonly RestrictionState[], now: number): Limits | undefined {
  const [enforced, trial] = [newLists(), newLists()]
  let [suspended, until] = [false, Number.POSITIVE_INFINITY]
  const isActive = (term: Term | undefined): term is Term => {
    if (term === undefined || (term.until !== null && term.until <= now)) return false
    until = Math.min(until, term.until ?? until)
    return true
  }
  for (const state of states) {
    if (isActive(state.suspended)) suspended = true
    if (isActive(state.enforced)) add(enforced, state.enforced)
    if (isActive(state.reported)) add(trial, state.reported)
  }
  const hasTrial = !isEmpty(trial)
  if (!suspended && isEmpty(enforced) && !hasTrial) return undefined
  return { ...enforced, suspended, trial: hasTrial ? both(enforced, trial) : undefined, until }
}

const newLists = (): Lists => ({ to: [], deny: [] })

const isEmpty = ({ to, deny }: Lists): boolean => to.length + deny.length === 0

const both = (a: Lists, b: Lists): Bounds => ({
  to: [...a.to, ...b.to],
  deny: [...a.deny, ...b.deny],
})

function add(
  lists: Lists,
  { to, deny }: { readonly to?: readonly string[]; readonly deny?: readonly string[] },
): void {
  if (to !== undefined) lists.to.push(to)
  if (deny !== undefined) lists.deny.push(...deny)
}
