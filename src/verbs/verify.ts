/**
 * The verify path: from the text of a token to a decision, synchronously, without I/O, without throwing.
 *
 * A cached token and a fresh one go through the same judgement, so that their verdicts cannot differ; the cache only
 * saves opening the token.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Fingerprint, VerifiedCache } from '../cache/verified-cache.js'
import type { Keyring } from '../keys/keyring.js'
import type { ResolvedClock } from '../lib/clock.js'
import { deepFreeze } from '../lib/freeze.js'
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
import { USAGE_INTERVAL_MS } from '../observe/usage.js'
import type { Policy } from '../policy/policy.js'
import type { Follower } from '../revocation/follower/follower.js'
import { REVOKED, type RevocationIndex } from '../revocation/index/revocation-index.js'
import { decodeUtf8, readClaims, type TokenClaims } from '../token/claims.js'
import { ClaimsReader } from '../token/claims-reader.js'
import { fingerprint, words } from '../token/fingerprint.js'
import { decryptInto, plaintext, plaintextWindow, wipePlaintext } from '../token/v4local.js'
import {
  FOOTER_TEXT_LENGTH,
  HEADER,
  looksBranded,
  MIN_TOKEN_LENGTH,
  NO_KEYS,
  readParts,
} from '../token/wire.js'
import type { Rejected, Verified, VerifyResult } from '../types.js'
import { type CheckedClaims, validateClaims } from './custom-claims.js'
import { type Entry, entryOf } from './entry.js'
import { REJECTED, UNREADABLE } from './rejections.js'
import { type CompiledRequirement, unmetBy, warnOfRequirement } from './requirement.js'

/** What the verifier needs. */
export interface VerifierOptions {
  readonly issuer: string
  /** The name of this node. */
  readonly node: string
  readonly policies: ReadonlyMap<string, Policy>
  readonly claims: StandardSchemaV1 | undefined
  readonly maxTokenLength: number
  readonly clockToleranceMs: number
  readonly maxStalenessMs: number
  readonly onStale: 'reject' | 'accept'
  readonly clock: ResolvedClock
  readonly keyring: Keyring
  readonly cache: VerifiedCache<Entry>
  readonly index: RevocationIndex
  readonly follower: Follower
  /** Makes the implicit assertion of a token with a binding. */
  readonly assertionOf: (audience: string, binding: string) => Uint8Array
  /** Called with the token's id when a use is due to be reported. */
  readonly onUse: (id: string, at: number) => void
  /**
   * Called once for each successor that this node sees used, where its policy retires the predecessor by that, and at
   * the next use after `again` was called.
   */
  readonly onFirstUse: (token: Verified<unknown>, again: () => void) => void
}

// Without a cache there is nothing to be found again.
const NO_PRINT: Fingerprint = [0, 0, 0, 0]

// What an entry takes beside its text, as bench/ measures it: 595 bytes for 262 bytes of claims, none of them custom.
const ENTRY_BYTES = 350

function brandsOf(policies: ReadonlyMap<string, Policy>): readonly string[] {
  const brands = [...policies.values()].flatMap(({ brand }) => brand ?? [])
  return [...new Set(brands)].sort((a, b) => b.length - a.length)
}

// Successors whose predecessors were retired. Past the bound, some are retired once more, which changes nothing.
const MAX_RETIRED = 10_000

/** Verifies the tokens of one authority. */
export class Verifier {
  readonly #options: VerifierOptions
  readonly #clock: ResolvedClock
  readonly #cache: VerifiedCache<Entry>
  readonly #index: RevocationIndex
  readonly #follower: Follower
  readonly #maxLength: number
  readonly #brands: readonly string[]
  readonly #keyring: Keyring
  readonly #reader = new ClaimsReader()
  readonly #retired = new Set<string>()
  #closed = false
  /** Whether the feed has not been read for the first time, and tokens pass all the same. */
  lenient = false

  constructor(options: VerifierOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#cache = options.cache
    this.#index = options.index
    this.#follower = options.follower
    this.#maxLength = options.maxTokenLength
    this.#keyring = options.keyring
    this.#brands = brandsOf(options.policies)
  }

  /** Rejects every token as `closed` from now on. */
  close(): void {
    this.#closed = true
    this.#cache.clear()
  }

  /** Decides about one token, and tells. Never throws, for any value of `token`. */
  verify(token: unknown, requirement: CompiledRequirement): VerifyResult<unknown> {
    const found = this.find(token, requirement.binding)
    const result = found.ok ? this.decide(found, requirement) : found
    this.tell(found, result, requirement)
    return result
  }

  /** Authenticates the token, from the cache or by opening it, and says nothing of whether it is still good. */
  find(token: unknown, binding: string): Entry | Rejected {
    if (typeof token !== 'string') return malformed(token)
    if (token.length > this.#maxLength) return REJECTED.tooLong
    if (!this.#cache.enabled || token.length < MIN_TOKEN_LENGTH)
      return this.#meet(token, binding, NO_PRINT)
    if (!fingerprint(token)) return malformed(token)
    // Copied before any other code can run: a nested call overwrites the shared words.
    const print0 = words[0]
    const print1 = words[1]
    const print2 = words[2]
    const print3 = words[3]
    const entry = this.#cache.get(print0, print1, print2, print3)
    if (entry === undefined) return this.#meet(token, binding, [print0, print1, print2, print3])
    // The binding is part of what was authenticated: the same token with another one is not authentic.
    return entry.binding === binding ? entry : REJECTED.invalid
  }

  // What can be told from the outline alone dies before any key is used. A token of the cache needs no second look.
  #meet(token: string, binding: string, print: Fingerprint): Entry | Rejected {
    const refusal = this.#shapeFault(token)
    if (refusal !== undefined) return refusal
    return this.#closed ? REJECTED.closed : this.#open(token, binding, print)
  }

  /** The key that a token names, or `undefined` for what is not a token. */
  keyIdOf(token: unknown): string | undefined {
    if (typeof token !== 'string' || token.length > this.#maxLength) return undefined
    return readParts(token, this.#keyring, this.#brands)?.keyId
  }

  #shapeFault(token: string): Rejected | undefined {
    if (!token.startsWith(HEADER)) return looksBranded(token) ? undefined : malformed(token)
    const dot = token.indexOf('.', HEADER.length)
    if (dot < 0) return malformed(token)
    // All footers of our own are of one length. Whether it is one of them is asked when the token is opened.
    if (token.length - dot - 1 === FOOTER_TEXT_LENGTH) return undefined
    const parts = readParts(token, NO_KEYS, this.#brands)
    if (parts === undefined) return malformed(token)
    return this.#keyring.get(parts.keyId) === undefined ? this.#unknownKey(parts.keyId) : undefined
  }

  // A later call may know the key; the pace of the look-up keeps made-up ones from turning into load on the store.
  #unknownKey(keyId: string): Rejected {
    if (this.#closed) return REJECTED.closed
    this.#keyring.hint(keyId)
    return REJECTED.unknownKey
  }

  #open(token: string, binding: string, print: Fingerprint): Entry | Rejected {
    // The clock may be the caller's: it is read before the key is looked up, since it could close the authority.
    const now = this.#clock.judged()
    const keyring = this.#keyring
    const parts = readParts(token, keyring, this.#brands)
    if (parts === undefined) return malformed(token)
    const ringKey = keyring.get(parts.keyId)
    if (ringKey === undefined) return this.#unknownKey(parts.keyId)
    if (now >= ringKey.record.expiresAt) return REJECTED.unknownKey
    const assertion =
      binding === ''
        ? ringKey.assertion
        : this.#options.assertionOf(ringKey.record.audience, binding)
    const length = decryptInto(ringKey.key, parts.body, parts.footer ?? ringKey.footer, assertion)
    if (length < 0) return REJECTED.invalid
    const claims = this.#claimsOf(length)
    if (claims === undefined) return REJECTED.claimsInvalid
    if (claims.issuer !== this.#options.issuer) return REJECTED.wrongIssuer
    if (claims.audience !== ringKey.record.audience) return REJECTED.wrongAudience
    // Runs the caller's schema, which may call any verb of any authority: only locals are used after it.
    const custom = this.#customOf(claims)
    if (!custom.ok) return REJECTED.claimsInvalid
    if (this.#closed) return REJECTED.closed
    const policy = this.#options.policies.get(claims.policy)
    const { clockToleranceMs } = this.#options
    const { record } = ringKey
    const entry = entryOf(claims, {
      record,
      binding,
      print,
      custom: custom.value,
      policy,
      clockToleranceMs,
    })
    this.#cache.set(
      entry,
      // What a schema made of the custom claims is held beside them.
      ENTRY_BYTES + (claims.custom === entry.principal.claims ? 1 : 2) * length,
    )
    return entry
  }

  // The plaintext is shared: it is read and wiped before anything else happens.
  #claimsOf(length: number): TokenClaims | undefined {
    const own = this.#reader.read(plaintextWindow(), length)
    const payload = own === undefined ? decodeUtf8(plaintext(length)) : undefined
    wipePlaintext()
    return own ?? (payload === undefined ? undefined : readClaims(payload))
  }

  #customOf(claims: TokenClaims): CheckedClaims {
    deepFreeze(claims.custom)
    const schema = this.#options.claims
    return schema === undefined
      ? { ok: true, value: claims.custom }
      : validateClaims(schema, claims.custom)
  }

  /**
   * Decides about an authentic token. Everything that can change is asked here, on a hit and on a miss alike.
   *
   * @param proven - Whether the caller has just asked the store, so that the lease does not matter.
   */
  decide(entry: Entry, requirement: CompiledRequirement, proven = false): VerifyResult<unknown> {
    const now = this.#clock.judged()
    const refusal = this.#state(entry, now)
    if (refusal !== undefined) return refusal
    if (entry.met !== requirement) {
      const unmet = unmetBy(entry.principal, requirement)
      if (unmet !== undefined) return unmet
      entry.met = requirement
    }
    const result =
      proven || this.#fresh(requirement, now)
        ? entry.principal
        : this.#stale(entry.principal, requirement)
    if (result.ok) this.#use(entry, now)
    return result
  }

  /** Why an authentic token is not good any more, or not yet; `undefined` when it is good. */
  #state(entry: Entry, now: number): Rejected | undefined {
    if (entry.clearedVersion !== this.#index.version) this.#recheck(entry, now)
    if (now < entry.deadlineSecond * 1000 && !entry.special) return undefined
    if (now >= entry.deadline) return this.#overdue(entry, now)
    if (now < entry.validFrom) return REJECTED.notYetValid
    return entry.outdated ? REJECTED.outdated : undefined
  }

  #overdue({ principal, deadline }: Entry, now: number): Rejected {
    // A token that is not in the cache is opened only while its key lives, and the answer must be the same.
    const key = this.#options.keyring.get(principal.keyId)
    if (key === undefined || now >= key.record.expiresAt) return REJECTED.unknownKey
    if (now >= principal.expiresAt) return REJECTED.expired
    return deadline === REVOKED ? REJECTED.revoked : REJECTED.superseded
  }

  /** Like a full verification, but blind to rotation: for `rotate`, which has its own rules for that. */
  stateForRotation(entry: Entry): Rejected | undefined {
    const refusal = this.#state(entry, this.#clock.judged())
    return refusal === REJECTED.superseded ? undefined : refusal
  }

  #recheck(entry: Entry, now: number): void {
    entry.deadline = Math.min(entry.end, this.#index.deadline(entry.principal))
    // A revoked token's deadline is before all time; so is its second, but as a small integer.
    entry.deadlineSecond = Math.floor(Math.max(0, entry.deadline) / 1000)
    entry.special = entry.outdated || now < entry.validFrom
    entry.clearedVersion = this.#index.version
  }

  #fresh(requirement: CompiledRequirement, now: number): boolean {
    // An index without room has refused an entry, and which tokens that would have killed nobody knows.
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
    // What a full index refused is refused here, and no one knows which tokens that are.
    const accept = !asked && !this.#index.full && (this.#options.onStale === 'accept' || lenient)
    return accept ? Object.freeze({ ...principal, stale: true as const }) : REJECTED.stale
  }

  #use(entry: Entry, now: number): void {
    const minute = Math.floor(now / USAGE_INTERVAL_MS)
    if (entry.reportedMinute !== minute) {
      entry.reportedMinute = minute
      this.#options.onUse(entry.principal.id, now)
    }
    if (entry.retiresPredecessor) {
      entry.retiresPredecessor = false
      this.#retire(entry)
    }
  }

  // By id, since an entry that is not in the cache is made anew for each call.
  #retire(entry: Entry): void {
    const { id } = entry.principal
    if (this.#retired.has(id)) return
    if (this.#retired.size >= MAX_RETIRED) this.#retired.clear()
    this.#retired.add(id)
    this.#options.onFirstUse(entry.principal, () => {
      this.#retired.delete(id)
      entry.retiresPredecessor = true
    })
  }

  /** Refuses a token whose requirement is invalid, whoever holds it: publishes why, and warns once per process. */
  refuse(invalidRequirement: string): Rejected {
    warnOfRequirement(invalidRequirement)
    if (decisions.hasSubscribers) {
      const { issuer, node } = this.#options
      const at = this.#clock.reading()
      const outcome = UNREADABLE.code
      decisions.publish({ at, issuer, node, outcome, invalidRequirement } satisfies Decision)
    }
    return UNREADABLE
  }

  /** Publishes a decision if anything listens; for callers that come to it in more than one step. */
  tell(
    found: Entry | Rejected,
    result: VerifyResult<unknown>,
    requirement: CompiledRequirement,
    context?: RequestContext,
  ): void {
    if (!decisions.hasSubscribers) return
    const { issuer, node } = this.#options
    const made: DecisionParts = {
      at: this.#clock.reading(),
      issuer,
      node,
      outcome: result.ok ? 'ok' : result.code,
      required: requirement.demanded,
      context: tellable(context),
    }
    decisions.publish(found.ok ? decisionAbout(found.principal, made) : decisionOf(made))
  }
}

function malformed(token: unknown): Rejected {
  hintAtMistake(token)
  return REJECTED.malformed
}
