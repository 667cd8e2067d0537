/**
 * What is counted for one token and hour besides its requests: scopes, refusals and callers.
 *
 * A request exercises the scopes that it requires, as the route names them: a token with `orders:*` that is only asked
 * for `orders:read` exercises `orders:read`. Of `anyOf`, it exercises every one that the token has, since each of them
 * alone would have admitted it: none of these scopes may be reported as unused. A request without a scope exercises
 * none. A token that exercises more than 64 scopes in an hour is counted by the scopes that it was granted instead, of
 * which there are at most 64.
 *
 * @module
 */
import { coveredByAny, covers, MAX_SCOPES } from '../../policy/scopes.js'
import type { CallerUse, ScopeUse } from '../../store/usage.js'
import type { Caller, Demand } from './counted.js'

/** The maximum number of callers for each token and hour. */
const MAX_CALLERS = 8
/** The maximum number of different codes for each token and hour. */
const MAX_CODES = 64

interface ScopeCount {
  readonly scope: string
  uses: number
  lastUsedAt: number
}

interface CallerCount {
  readonly caller: Caller
  requests: number
}

/** What few tokens have: refusals, and callers after the first. */
interface Rare {
  readonly refused: Map<string, number>
  readonly callers: CallerCount[]
  others: number
}

const nothingRare = (): Rare => ({ refused: new Map(), callers: [], others: 0 })

/** Uses of one token, all with one requirement. */
export interface Uses {
  readonly demand: Demand
  /** The scopes of the token. */
  readonly granted: readonly string[]
  readonly uses: number
  readonly lastUsedAt: number
}

/** The scopes that requests with this requirement exercise. */
export function exercised({ allOf, anyOf }: Demand, granted: readonly string[]): readonly string[] {
  if (anyOf.length === 0) return allOf
  return [...new Set([...allOf, ...anyOf.filter((scope) => coveredByAny(granted, scope))])]
}

/** Whether the scopes of the requirement can be counted as they are, for any token. */
export const isPlain = ({ allOf, anyOf }: Demand): boolean =>
  anyOf.length === 0 && allOf.length <= MAX_SCOPES && new Set(allOf).size === allOf.length

/**
 * Scopes, refusals and callers of one token in one hour. Most tokens need only the first field, or no detail at all.
 *
 * There is one for each token that a guard sees, so it has few fields, and no private method, which takes another.
 */
export class Detail {
  // While all requests had one plain requirement, it stands for their scopes.
  #scopes: Demand | ScopeCount[] | undefined
  // The first caller needs no list: most tokens have one.
  #caller: Caller | undefined
  #requests = 0
  #rare: Rare | undefined

  /** Records that all requests so far had this plain requirement. */
  begin(demand: Demand): void {
    this.#scopes = demand
  }

  /** Whether every request so far had this requirement. */
  isOnly(demand: Demand): boolean {
    return this.#scopes === demand
  }

  /** Adds uses with a further requirement. `before`: the requests so far, if they all had one requirement. */
  addScopes(added: Uses, before: { readonly uses: number; readonly lastUsedAt: number }): void {
    const former = this.#scopes
    let counts: ScopeCount[]
    if (Array.isArray(former)) counts = former
    else {
      counts = []
      if (former !== undefined) add(counts, { ...before, demand: former, granted: added.granted })
    }
    add(counts, added)
    this.#scopes = counts.length <= MAX_SCOPES ? counts : byGrant(counts, added.granted)
  }

  /** Adds one refusal. */
  refuse(code: string): void {
    this.#rare ??= nothingRare()
    const { refused } = this.#rare
    const known = refused.get(code)
    if (known === undefined && refused.size >= MAX_CODES) return
    refused.set(code, (known ?? 0) + 1)
  }

  /** Adds one accepted request of a caller. */
  call(caller: Caller): void {
    this.#caller ??= caller
    if (isSame(this.#caller, caller)) {
      this.#requests++
      return
    }
    this.#rare ??= nothingRare()
    const rare = this.#rare
    const count = rare.callers.find((each) => isSame(each.caller, caller))
    if (count !== undefined) count.requests++
    else if (rare.callers.length < MAX_CALLERS - 1) rare.callers.push({ caller, requests: 1 })
    else rare.others++
  }

  /** The scopes for a row, given the requests so far. */
  scopes(uses: number, lastUsedAt: number): readonly ScopeUse[] {
    if (Array.isArray(this.#scopes)) return this.#scopes.map((count) => ({ ...count }))
    return this.#scopes === undefined ? [] : scopesOf(this.#scopes, uses, lastUsedAt)
  }

  /** The refusals for a row. */
  get refused(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#rare?.refused ?? [])
  }

  /** The callers for a row. */
  get callers(): readonly CallerUse[] {
    if (this.#caller === undefined) return []
    const first = { ...this.#caller, requests: this.#requests }
    const more = this.#rare?.callers.map(({ caller, requests }) => ({ ...caller, requests })) ?? []
    return [first, ...more]
  }

  /** The number of accepted requests by further callers. */
  get others(): number {
    return this.#rare?.others ?? 0
  }
}

/** The scopes of requests that all had one plain requirement. */
export function scopesOf(demand: Demand, uses: number, lastUsedAt: number): readonly ScopeUse[] {
  return uses === 0 ? [] : demand.allOf.map((scope) => ({ scope, uses, lastUsedAt }))
}

function add(counts: ScopeCount[], { demand, granted, uses, lastUsedAt }: Uses): void {
  for (const scope of new Set(exercised(demand, granted))) {
    const known = counts.find((count) => count.scope === scope)
    if (known === undefined) counts.push({ scope, uses, lastUsedAt })
    else {
      known.uses += uses
      known.lastUsedAt = Math.max(known.lastUsedAt, lastUsedAt)
    }
  }
}

/** Counts by granted scope. A use of several scopes that one grant covers counts several times. */
function byGrant(counts: readonly ScopeCount[], granted: readonly string[]): ScopeCount[] {
  const merged = new Map<string, ScopeCount>()
  for (const { scope, uses, lastUsedAt } of counts) {
    const grant = granted.find((each) => covers(each, scope)) ?? scope
    const known = merged.get(grant)
    if (known === undefined) merged.set(grant, { scope: grant, uses, lastUsedAt })
    else {
      known.uses += uses
      known.lastUsedAt = Math.max(known.lastUsedAt, lastUsedAt)
    }
  }
  return [...merged.values()].slice(0, MAX_SCOPES)
}

const isSame = (one: Caller, other: Caller): boolean =>
  one === other ||
  (one.address === other.address && one.route === other.route && one.userAgent === other.userAgent)
