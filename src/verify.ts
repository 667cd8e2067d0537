/**
 * The verify path: from the text of a token to a decision, synchronously, without I/O, without throwing.
 *
 * A cached token and a fresh one go through the same judgement, so that their verdicts cannot differ; the cache only
 * saves opening the token.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Fingerprint, Fingerprinted, VerifiedCache } from './cache/verified-cache.js'
import type { ResolvedClock } from './clock.js'
import { validateClaims } from './custom-claims.js'
import { deepFreeze } from './freeze.js'
import type { Keyring } from './keys/keyring.js'
import type { RingKey } from './keys/ring.js'
import { type Decision, decisions, type RequestContext, tellable } from './observe/channels.js'
import { USAGE_INTERVAL_MS } from './observe/usage.js'
import { type Policy, rotateAtOf } from './policy/policy.js'
import { REJECTED } from './rejections.js'
import { type CompiledRequirement, unmetBy } from './requirement.js'
import type { Follower } from './revocation/follower.js'
import { REVOKED, type RevocationIndex } from './revocation/index.js'
import { decodeUtf8, readClaims, type TokenClaims } from './token/claims.js'
import { fingerprint, words } from './token/fingerprint.js'
import { decryptInto, plaintext, wipePlaintext } from './token/v4local.js'
import { FOOTER_TEXT_LENGTH, HEADER, readParts } from './token/wire.js'
import type { Rejected, Verified, VerifyResult } from './types.js'

/** What the verifier needs. */
export interface VerifierOptions {
  readonly issuer: string
  readonly policies: ReadonlyMap<string, Policy>
  readonly claims: StandardSchemaV1 | undefined
  readonly brand: string | undefined
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

/** The authenticated facts of one token, and what the node found out about it. */
export interface Entry extends Fingerprinted {
  // The fields of the hot path are small integers and pointers, so that a check reads one or two lines of memory.
  /** The version of the index that `deadline` was worked out from. */
  clearedVersion: number
  /** The second of `deadline`: before it, the token needs no closer look. */
  deadlineSecond: number
  /** Whether a closer look is needed all the same: not valid yet, or outdated. */
  special: boolean
  /** The requirement that the token met last. Both are immutable, so it still does. */
  met: CompiledRequirement | undefined
  /** The minute in which its use was last reported. */
  reportedMinute: number
  readonly principal: Verified<unknown>
  /** The custom claims as they were written, before the schema had its say. */
  readonly custom: Readonly<Record<string, unknown>>
  readonly binding: string
  /** Not valid before this time; the tolerance is counted in. */
  readonly validFrom: number
  /** The earlier of the token's expiry and its key's. */
  readonly end: number
  readonly outdated: boolean
  /** From when on the token is dead, for whatever reason. */
  deadline: number
  /** Whether its first use retires its predecessor, and that has not been said yet. */
  retiresPredecessor: boolean
}

/** What an entry is made from, beside the claims. */
interface Source {
  readonly ringKey: RingKey
  readonly binding: string
  readonly print: Fingerprint
}

// Without a cache there is nothing to be found again.
const NO_PRINT: Fingerprint = [0, 0, 0, 0]

// What an entry takes beside its text, as bench/ measures it: 595 bytes for 262 bytes of claims, none of them custom.
const ENTRY_BYTES = 350

/** Verifies the tokens of one authority. */
export class Verifier {
  readonly #options: VerifierOptions
  readonly #clock: ResolvedClock
  readonly #cache: VerifiedCache<Entry>
  readonly #index: RevocationIndex
  readonly #follower: Follower
  readonly #maxLength: number
  readonly #brand: string | undefined
  readonly #keyring: Keyring
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
    this.#brand = options.brand
    this.#keyring = options.keyring
  }

  /** Answers `stale` to everything from now on. */
  close(): void {
    this.#closed = true
    this.#cache.clear()
  }

  /** Decides about one token, and tells. Never throws, for any value of `token`. */
  verify(token: unknown, requirement: CompiledRequirement): VerifyResult<unknown> {
    const found = this.find(token, requirement.binding)
    const result = 'ok' in found ? found : this.decide(found, requirement)
    this.tell(found, result)
    return result
  }

  /** Authenticates the token, from the cache or by opening it, and says nothing of whether it is still good. */
  find(token: unknown, binding: string): Entry | Rejected {
    if (typeof token !== 'string') return REJECTED.malformed
    const refusal = this.#shapeFault(token)
    if (refusal !== undefined) return refusal
    if (this.#closed) return REJECTED.stale
    if (!this.#cache.enabled) return this.#open(token, binding, NO_PRINT)
    if (!fingerprint(token)) return REJECTED.malformed
    // Copied before any other code can run: a nested call overwrites the shared words.
    const print0 = words[0]
    const print1 = words[1]
    const print2 = words[2]
    const print3 = words[3]
    const entry = this.#cache.get(print0, print1, print2, print3)
    if (entry === undefined) return this.#open(token, binding, [print0, print1, print2, print3])
    // The binding is part of what was authenticated: the same token with another one is not authentic.
    return entry.binding === binding ? entry : REJECTED.invalid
  }

  /** The key that a token names, or `undefined` for what is not a token. */
  keyIdOf(token: unknown): string | undefined {
    if (typeof token !== 'string' || token.length > this.#maxLength) return undefined
    return readParts(token, this.#brand, () => undefined)?.keyId
  }

  // What can be told from the outline alone dies before it costs a fingerprint.
  #shapeFault(token: string): Rejected | undefined {
    if (token.length > this.#maxLength) return REJECTED.tooLong
    if (!token.startsWith(HEADER)) {
      const branded = this.#brand !== undefined && token.startsWith(this.#brand)
      return branded ? undefined : REJECTED.malformed
    }
    const dot = token.indexOf('.', HEADER.length)
    if (dot < 0) return REJECTED.malformed
    // All footers of our own are of one length. Whether it is one of them is asked when the token is opened.
    if (token.length - dot - 1 === FOOTER_TEXT_LENGTH) return undefined
    const parts = readParts(token, this.#brand, () => undefined)
    if (parts === undefined) return REJECTED.malformed
    return this.#keyring.get(parts.keyId) === undefined ? this.#unknownKey(parts.keyId) : undefined
  }

  // A later call may know the key; the pace of the look-up keeps made-up ones from turning into load on the store.
  #unknownKey(keyId: string): Rejected {
    if (this.#closed) return REJECTED.stale
    this.#keyring.hint(keyId)
    return REJECTED.unknownKey
  }

  #open(token: string, binding: string, print: Fingerprint): Entry | Rejected {
    // The clock may be the caller's: it is read before the key is looked up, since it could close the authority.
    const now = this.#clock.judged()
    const keyring = this.#keyring
    const parts = readParts(token, this.#brand, keyring.endingOf)
    if (parts === undefined) return REJECTED.malformed
    const ringKey = keyring.get(parts.keyId)
    if (ringKey === undefined) return this.#unknownKey(parts.keyId)
    if (now >= ringKey.record.expiresAt) return REJECTED.unknownKey
    const assertion =
      binding === ''
        ? ringKey.assertion
        : this.#options.assertionOf(ringKey.record.audience, binding)
    const length = decryptInto(ringKey.key, parts.body, parts.footer ?? ringKey.footer, assertion)
    if (length < 0) return REJECTED.invalid
    // The plaintext is shared: it is copied and wiped before anything else happens.
    const payload = decodeUtf8(plaintext(length))
    wipePlaintext()
    const claims = payload === undefined ? undefined : readClaims(payload)
    if (claims === undefined) return REJECTED.claimsInvalid
    if (claims.issuer !== this.#options.issuer) return REJECTED.wrongIssuer
    if (claims.audience !== ringKey.record.audience) return REJECTED.wrongAudience
    // Runs the caller's schema, which may call any verb of any authority: only locals are used after it.
    const entry = this.#entryOf(claims, { ringKey, binding, print })
    if (entry === undefined) return REJECTED.claimsInvalid
    if (this.#closed) return REJECTED.stale
    this.#cache.set(
      entry,
      // What a schema made of the custom claims is held beside them.
      ENTRY_BYTES + (claims.custom === entry.principal.claims ? 1 : 2) * length,
    )
    return entry
  }

  #entryOf(claims: TokenClaims, { ringKey, binding, print }: Source): Entry | undefined {
    const { record } = ringKey
    const custom = this.#customOf(claims)
    if (custom === undefined) return undefined
    const { policies, clockToleranceMs } = this.#options
    const policy = policies.get(claims.policy)
    // Strings that all tokens share are taken from where they are held anyway.
    const principal: Verified<unknown> = Object.freeze({
      ok: true,
      id: claims.id,
      subject: claims.subject,
      audience: record.audience,
      scopes: claims.scopes,
      policy: policy?.name ?? claims.policy,
      family: claims.family,
      generation: claims.generation,
      issuedAt: claims.issuedAt,
      expiresAt: claims.expiresAt,
      rotateAt: rotateAtOf(policy, claims.issuedAt, claims.expiresAt),
      keyId: record.id,
      claims: custom,
    })
    return {
      print0: print[0],
      print1: print[1],
      print2: print[2],
      print3: print[3],
      clearedVersion: -1,
      deadlineSecond: 0,
      special: false,
      met: undefined,
      reportedMinute: 0,
      binding,
      principal,
      retiresPredecessor: claims.generation > 0 && policy?.retireOn === 'first-use',
      outdated: policy !== undefined && claims.policyVersion < policy.minVersion,
      deadline: 0,
      validFrom: Math.max(claims.notBefore ?? 0, claims.issuedAt) - clockToleranceMs,
      end: Math.min(claims.expiresAt, record.expiresAt),
      custom: claims.custom,
    }
  }

  #customOf(claims: TokenClaims): unknown {
    deepFreeze(claims.custom)
    const schema = this.#options.claims
    return schema === undefined ? claims.custom : validateClaims(schema, claims.custom)?.value
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
    const accept = !asked && (this.#options.onStale === 'accept' || lenient)
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
      this.#options.onFirstUse(entry.principal, () => {
        entry.retiresPredecessor = true
      })
    }
  }

  /** Tells the decision channel; for callers that come to their decision in more than one step. */
  tell(found: Entry | Rejected, result: VerifyResult<unknown>, context?: RequestContext): void {
    if (!decisions.hasSubscribers) return
    const { issuer } = this.#options
    const outcome = result.ok ? 'ok' : result.code
    const decision: Decision = { at: this.#clock.reading(), issuer, outcome, ...tellable(context) }
    if ('ok' in found) {
      decisions.publish(decision)
      return
    }
    const { id, subject, audience, policy } = found.principal
    decisions.publish({ ...decision, id, subject, audience, policy })
  }
}
