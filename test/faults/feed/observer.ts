/**
 * The observer of one node: verifies all tokens repeatedly, and records the times of the verdicts.
 */
import type { Watchword } from 'watchword'
import { instant } from './time.js'

/** The verdicts of one node on one token. Times are those at which a verification began; 0 means never. */
export interface Sighting {
  /** When it was last accepted. */
  acceptedAt: number
  /** When the proof was requested on which its last acceptance was based. */
  provenAt: number
  /** When it was first rejected as revoked. */
  revokedAt: number
  /** When it was accepted after the first rejection. */
  resurrectedAt: number
}

/** A period in which every round of verifications had the same result, without a longer gap. */
export interface Run {
  /** Whether any token was accepted. */
  readonly accepted: boolean
  readonly from: number
  to: number
}

/** All records of one node. */
export interface NodeLog {
  readonly node: string
  readonly sightings: readonly Sighting[]
  readonly runs: readonly Run[]
  /** Verdicts that the test does not explain. */
  readonly odd: readonly string[]
}

/** The state of a node at the end. */
export interface NodeState {
  readonly live: boolean
  readonly position: string
  readonly revocations: number
  readonly pending: number
  readonly pushes: { readonly ends: number; readonly misses: number }
  readonly incidents: Readonly<Record<string, number>>
}

/** The longest interval between two verdicts of one run. */
export const LONGEST_GAP_MS = 50
// Each round verifies some of the rejected tokens again.
const REVISITED = 50
const REFUSALS: ReadonlySet<string> = new Set(['revoked', 'stale'])

/** Observes one authority. */
export class Observer {
  readonly #node: string
  readonly #watchword: Watchword
  readonly #expected: ReadonlySet<string>
  readonly #tokens: string[] = []
  readonly #sightings: Sighting[] = []
  readonly #unsettled = new Set<number>()
  readonly #runs: Run[] = []
  readonly #odd = new Set<string>()
  #revisited = 0
  #timer: NodeJS.Timeout | undefined

  /** @param codes - Further verdicts that the test explains. */
  constructor(node: string, watchword: Watchword, codes: readonly string[] = []) {
    this.#node = node
    this.#watchword = watchword
    this.#expected = new Set([...REFUSALS, ...codes])
  }

  /** Adds tokens to observe. */
  add(tokens: readonly string[]): void {
    for (const token of tokens) {
      this.#unsettled.add(this.#tokens.length)
      this.#tokens.push(token)
      this.#sightings.push({ acceptedAt: 0, provenAt: 0, revokedAt: 0, resurrectedAt: 0 })
    }
  }

  /** Verifies in rounds until `stop` is called. */
  start(everyMs: number): void {
    this.#timer = setTimeout(() => {
      this.round()
      this.start(everyMs)
    }, everyMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** One round of verifications; with `all`, of every token. */
  round(all = false): void {
    const from = instant()
    const provenAt = from - this.#watchword.health().freshnessMs
    let accepted = false
    for (const index of all ? this.#tokens.keys() : this.#choice())
      accepted = this.#look(index, provenAt) || accepted
    const run = this.#runs.at(-1)
    if (run?.accepted === accepted && from - run.to <= LONGEST_GAP_MS) run.to = from
    else this.#runs.push({ accepted, from, to: from })
  }

  *#choice(): Iterable<number> {
    yield* this.#unsettled
    for (let i = 0; i < Math.min(REVISITED, this.#tokens.length); i++) {
      this.#revisited = (this.#revisited + 1) % this.#tokens.length
      yield this.#revisited
    }
  }

  #look(index: number, provenAt: number): boolean {
    const sighting = this.#sightings[index] as Sighting
    const at = instant()
    const result = this.#watchword.verify(this.#tokens[index])
    if (result.ok && result.stale !== true) {
      sighting.acceptedAt = at
      sighting.provenAt = provenAt
      if (sighting.revokedAt > 0) sighting.resurrectedAt ||= at
      return true
    }
    if (result.ok) return false
    if (!this.#expected.has(result.code)) this.#odd.add(result.code)
    if (result.code === 'revoked') {
      sighting.revokedAt ||= at
      this.#unsettled.delete(index)
    }
    return false
  }

  /** Whether it has rejected these tokens as revoked. */
  hasRefused(indexes: Iterable<number>): boolean {
    for (const index of indexes) if (this.#unsettled.has(index)) return false
    return true
  }

  log(): NodeLog {
    const odd = [...this.#odd]
    return { node: this.#node, sightings: this.#sightings, runs: this.#runs, odd }
  }

  state(): NodeState {
    const { status, position, revocations, pendingRevocations, pushes, incidents } =
      this.#watchword.health()
    return {
      live: status === 'live',
      position: `${position.epoch}/${position.seq}`,
      revocations,
      pending: pendingRevocations,
      pushes,
      incidents,
    }
  }
}
