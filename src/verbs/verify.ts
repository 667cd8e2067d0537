/**
 * The verify path: decides about a token synchronously, without I/O and without throwing.
 *
 * Cached and uncached tokens go through the same checks, so the decisions cannot differ; the cache only saves opening
 * the token.
 *
 * @module
 */
import type { ResolvedClock } from '../lib/clock.js'
import { MINUTE } from '../lib/duration.js'
import { has } from '../lib/fields.js'
import { hintAtMistake } from '../lib/warn.js'
import {
  type Decision,
  type DecisionParts,
  decisionAbout,
  decisionOf,
  decisions,
  type RequestContext,
  tellable,
} from '../observe/channels.js'
import type { Probe } from '../observe/probe.js'
import type { UsageRecorder } from '../observe/usage/recorder.js'
import type { Limits } from '../policy/limits.js'
import type { Freshness } from '../revocation/follower/freshness.js'
import { REVOKED, type RevocationIndex } from '../revocation/index/revocation-index.js'
import type { LogPosition, Rejected, Verified, VerifyResult } from '../types.js'
import { type Entry, standIn } from './entry.js'
import { FirstUses } from './first-uses.js'
import { limitedBy } from './limited.js'
import { Opener, type OpenerOptions } from './opener.js'
import { REJECTED, UNREADABLE } from './rejections.js'
import {
  type CompiledRequirement,
  unmetBy,
  warnOfRequirement,
  warnOfStoreFreshness,
} from './requirement.js'
import { shownFor } from './sealed.js'
import { answerOf, unmetWithin } from './unmet-within.js'

/** Whether this node knows every revocation; a follower implements it. */
export interface LeaseHolder {
  readonly freshness: Pick<Freshness, 'within' | 'proven'>
  /** Proves freshness synchronously, if the log is in this process. */
  renew(): boolean
  /** Whether this node has applied everything up to this position. */
  reached(position: LogPosition): boolean
}

/** Options of the verifier. */
export interface VerifierOptions extends OpenerOptions {
  /** The name of this node. */
  readonly node: string
  readonly maxStalenessMs: number
  readonly onStale: 'reject' | 'accept'
  readonly index: RevocationIndex
  readonly follower: LeaseHolder
  readonly probe: Probe
  /** Called with the token's id when a use is due to be reported. */
  readonly onUse: (id: string, at: number) => void
  /** Counts uses; `undefined` if none are counted. */
  readonly usage: UsageRecorder | undefined
  /**
   * Called on the first use of each successor that this node sees, if its policy retires the predecessor on first use,
   * and on the next use after `again` was called.
   */
  readonly onFirstUse: (token: Verified<unknown>, again: () => void) => void
}

/** The inputs of a published decision besides the token and the result. */
interface Publication {
  readonly requirement: CompiledRequirement
  readonly at: number
  readonly context: RequestContext | undefined
}

const codeOf = (result: VerifyResult<unknown>): Decision['outcome'] =>
  result.ok ? 'ok' : result.code

/** Whether a token was accepted although this node could not prove freshness. */
export const isAcceptedStale = (result: VerifyResult<unknown>): boolean =>
  result.ok && has(result, 'stale')

/** Verifies the tokens of one authority. */
export class Verifier {
  readonly #options: VerifierOptions
  readonly #opener: Opener
  readonly #clock: ResolvedClock
  readonly #index: RevocationIndex
  readonly #follower: LeaseHolder
  readonly #probe: Probe
  readonly #usage: UsageRecorder | undefined
  readonly #firstUses: FirstUses
  /** Whether the feed was never read and tokens are accepted anyway. */
  lenient = false

  constructor(options: VerifierOptions) {
    this.#options = options
    this.#firstUses = new FirstUses(options.onFirstUse)
    this.#opener = new Opener(options)
    this.#clock = options.clock
    this.#index = options.index
    this.#follower = options.follower
    this.#probe = options.probe
    this.#usage = options.usage
  }

  /** Whether the context of each accepted request is counted. */
  get keepsCallers(): boolean {
    return this.#usage?.keepsCallers === true
  }

  /** Rejects every token as `closed` from now on. */
  close(): void {
    this.#opener.close()
  }

  /** Decides about one token and publishes the decision. Never throws, for any value of `token`. */
  verify(token: unknown, requirement: CompiledRequirement): VerifyResult<unknown> {
    const { observer } = this.#probe
    const began = observer === undefined ? 0 : observer.begin()
    const found = this.#opener.find(token, requirement.binding)
    const result = found.ok ? this.decide(found, requirement) : found
    if (found.ok && result !== found.answer) this.#count(found, result)
    if (result === REJECTED.malformed) hintAtMistake(token)
    else if (result === REJECTED.stale && requirement.fromStore) warnOfStoreFreshness()
    if (observer !== undefined) {
      if (began > 0) observer.timed(began)
      observer.decided(codeOf(result), found.ok ? found.principal : undefined)
    }
    // The decision about an authentic token has just read the clock.
    if (decisions.hasSubscribers) {
      const at = found.ok ? this.#clock.recent() : this.#clock.reading()
      this.#publish(found, result, { requirement, at, context: undefined })
    }
    return result
  }

  /** Authenticates the token from the cache or by opening it. Does not check whether it is still valid. */
  find(token: unknown, binding: string): Entry | Rejected {
    return this.#opener.find(token, binding)
  }

  /** The key that a token names, or `undefined` for text that is not a token. */
  keyIdOf(token: unknown): string | undefined {
    return this.#opener.keyIdOf(token)
  }

  /**
   * Decides about an authentic token. Everything that can change is checked here, on a cache hit and a cache miss
   * alike. Counts an acceptance, but no other result, since the caller may decide again.
   *
   * @param proven - Whether the caller has just read the store, so the lease does not matter.
   */
  decide(entry: Entry, requirement: CompiledRequirement, proven = false): VerifyResult<unknown> {
    const now = this.#clock.judged()
    const refusal = this.#state(entry, now)
    if (refusal !== undefined) return refusal
    if (entry.met !== requirement) {
      const { limited } = entry
      const unmet =
        limited === undefined
          ? unmetBy(entry.principal, requirement)
          : unmetWithin(limited, requirement)
      if (unmet !== undefined) return unmet
      // The requests so far belong to the former requirement.
      if (entry.uses !== 0) this.#usage?.turn(entry, now)
      entry.met = requirement
      if (limited !== undefined) entry.answer = answerOf(limited, requirement)
    }
    // Read before the lease is renewed: that runs the feed, which may verify the token for another requirement.
    const { answer } = entry
    if (!proven && !this.#fresh(requirement, now)) return this.#stale(answer, requirement)
    this.#use(entry, now)
    return answer
  }

  /** Counts a final decision that `decide` did not count: a rejection, or an acceptance on a stale node. */
  #count(entry: Entry, result: VerifyResult<unknown>): void {
    if (result.ok && !isAcceptedStale(result)) return
    if (result.ok) this.#use(entry, this.#clock.judged())
    else this.#usage?.refuse(entry, result.code, this.#clock.judged())
  }

  /** Why an authentic token is not valid; `undefined` if it is valid. */
  #state(entry: Entry, now: number): Rejected | undefined {
    if (entry.clearedVersion !== this.#index.version) this.#recheck(entry, now)
    if (now < entry.deadlineSecond * 1000 && !entry.special) return undefined
    return this.#fullState(entry, now)
  }

  // A revocation stands above a suspension.
  #fullState(entry: Entry, now: number): Rejected | undefined {
    if (entry.limited !== undefined && now >= entry.limited.until) this.#recheck(entry, now)
    if (now >= entry.deadline) return this.#overdue(entry, now)
    if (now < entry.validFrom) return REJECTED.notYetValid
    if (entry.outdated) return REJECTED.outdated
    return entry.limited?.suspended === true ? REJECTED.suspended : undefined
  }

  #overdue({ principal, deadline }: Entry, now: number): Rejected {
    // An uncached token is opened only while its key is valid, and the decision must be the same.
    const key = this.#options.keyring.get(principal.keyId)
    if (key === undefined || now >= key.record.expiresAt) return REJECTED.unknownKey
    if (now >= principal.expiresAt) return REJECTED.expired
    return deadline === REVOKED ? REJECTED.revoked : REJECTED.superseded
  }

  /**
   * Whether a principal that was accepted before would still be, apart from freshness: the time at which this has to be
   * asked again, or why it is rejected. Counts and publishes nothing.
   */
  remains(principal: Verified<unknown>, requirement: CompiledRequirement): Rejected | number {
    const key = this.#options.keyring.get(principal.keyId)
    if (key === undefined) return REJECTED.unknownKey
    const entry = standIn(principal, key.record.expiresAt)
    const refusal = this.#state(entry, this.#clock.judged())
    if (refusal !== undefined) return refusal
    const { limited, deadline } = entry
    if (limited === undefined) return unmetBy(principal, requirement) ?? deadline
    return unmetWithin(limited, requirement) ?? Math.min(deadline, limited.until)
  }

  /** Whether this node has proved within `limitMs` that it knows every revocation. */
  isLive(limitMs: number): boolean {
    if (this.#index.full) return false
    const { freshness } = this.#follower
    return freshness.within(limitMs, this.#clock.judged()) || this.#follower.renew()
  }

  /** Like a full verification, but ignores rotation: for `rotate`, which has its own rules. */
  stateForRotation(entry: Entry): Rejected | undefined {
    const refusal = this.#state(entry, this.#clock.judged())
    return refusal === REJECTED.superseded ? undefined : refusal
  }

  #recheck(entry: Entry, now: number): void {
    const { principal } = entry
    entry.deadline = Math.min(entry.end, this.#index.deadline(principal))
    const limits = this.#index.registers.limits(principal, now)
    if (limits !== undefined || entry.limited !== undefined) this.#limit(entry, limits, now)
    const next = Math.min(entry.deadline, limits?.until ?? entry.deadline)
    // A revoked token has the lowest deadline, and its second is stored as a small integer.
    entry.deadlineSecond = Math.floor(Math.max(0, next) / 1000)
    entry.special = entry.outdated || now < entry.validFrom || limits?.suspended === true
    entry.clearedVersion = this.#index.version
  }

  #limit(entry: Entry, limits: Limits | undefined, now: number): void {
    // The requests so far belong to the former requirement.
    if (entry.uses !== 0 && now < Number.POSITIVE_INFINITY) this.#usage?.turn(entry, now)
    entry.limited = limits === undefined ? undefined : limitedBy(entry.principal, limits)
    entry.answer = entry.limited?.shown ?? entry.principal
    // The requirement that was met may not be any more.
    entry.met = undefined
  }

  #fresh(requirement: CompiledRequirement, now: number): boolean {
    // A full index has rejected an entry, which may cover any token.
    if (requirement.fromStore || this.#index.full || !this.#reached(requirement)) return false
    const limit = requirement.maxStalenessMs ?? this.#options.maxStalenessMs
    return this.#follower.freshness.within(limit, now) || this.#follower.renew()
  }

  #reached({ minPosition }: CompiledRequirement): boolean {
    return minPosition === undefined || this.#follower.reached(minPosition)
  }

  #stale(principal: Verified<unknown>, requirement: CompiledRequirement): VerifyResult<unknown> {
    const lenient = this.lenient && !this.#follower.freshness.proven
    const asked = requirement.fromStore || !this.#reached(requirement)
    // A full index has rejected an entry, which may cover any token.
    const accept = !asked && !this.#index.full && (this.#options.onStale === 'accept' || lenient)
    return accept ? shownFor(principal, { stale: true }) : REJECTED.stale
  }

  #use(entry: Entry, now: number): void {
    const minute = Math.floor(now / MINUTE)
    if (entry.reportedMinute !== minute) this.#report(entry, minute, now)
    entry.uses++
    if (entry.retiresPredecessor) {
      entry.retiresPredecessor = false
      this.#firstUses.note(entry)
    }
  }

  #report(entry: Entry, minute: number, now: number): void {
    this.#options.onUse(entry.principal.id, now)
    if (this.#usage !== undefined) this.#usage.report(entry, minute, now)
    else {
      entry.reportedMinute = minute
      entry.uses = 0
    }
  }

  /** Rejects a token because of an invalid requirement: publishes why, and warns once for each fault. */
  refuse(invalidRequirement: string): Rejected {
    warnOfRequirement(invalidRequirement)
    this.#probe.observer?.decided(UNREADABLE.code, undefined)
    if (decisions.hasSubscribers) {
      const { issuer, node } = this.#options
      const at = this.#clock.reading()
      const outcome = UNREADABLE.code
      decisions.publish({ at, issuer, node, outcome, invalidRequirement } satisfies Decision)
    }
    return UNREADABLE
  }

  /** Counts and publishes a final decision, for callers that decide in several steps. */
  tell(
    found: Entry | Rejected,
    result: VerifyResult<unknown>,
    requirement: CompiledRequirement,
    context?: RequestContext,
  ): void {
    if (found.ok) {
      this.#count(found, result)
      if (result.ok && context !== undefined) this.#usage?.call(found, context, this.#clock)
    }
    this.#probe.observer?.decided(codeOf(result), found.ok ? found.principal : undefined)
    if (!decisions.hasSubscribers) return
    this.#publish(found, result, { requirement, at: this.#clock.reading(), context })
  }

  #publish(
    found: Entry | Rejected,
    result: VerifyResult<unknown>,
    { requirement, at, context }: Publication,
  ): void {
    const { issuer, node } = this.#options
    const made: DecisionParts = {
      at,
      issuer,
      node,
      outcome: codeOf(result),
      required: requirement.demanded,
      context: context === undefined ? undefined : tellable(context),
    }
    const decision = found.ok ? decisionAbout(found.principal, made) : decisionOf(made)
    const refused = result.ok && has(result, 'wouldRefuse') ? result.wouldRefuse : undefined
    decisions.publish(refused === undefined ? decision : { ...decision, wouldRefuse: refused })
  }
}
