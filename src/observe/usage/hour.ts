/**
 * The counters of one UTC hour: one place for each token, in columns of typed arrays, because objects would need three
 * times the memory.
 *
 * @module
 */
import { HOUR, MINUTE } from '../../lib/duration.js'
import type { UsageRow } from '../../store/usage.js'
import type { Caller, Counted, Counters, Demand } from './counted.js'
import { Detail, isPlain, scopesOf } from './detail.js'

const BLOCK_BITS = 10
const BLOCK_SIZE = 1 << BLOCK_BITS
const IN_BLOCK = BLOCK_SIZE - 1
const MAX_COUNT = 0xffff_ffff

/** The columns of 1,024 tokens. Times are milliseconds since the start of the hour. */
class Block {
  readonly requests = new Uint32Array(BLOCK_SIZE)
  readonly first = new Uint32Array(BLOCK_SIZE)
  readonly last = new Uint32Array(BLOCK_SIZE)
  /** Whether the counters were changed since they were last written. */
  readonly changed = new Uint8Array(BLOCK_SIZE)
  /** The cached token that may have uncollected uses. */
  readonly open: (Counted | undefined)[] = new Array<undefined>(BLOCK_SIZE).fill(undefined)
  /** A requirement alone: all requests had it, and there is nothing else to record. */
  readonly details: (Demand | Detail | undefined)[] = new Array<undefined>(BLOCK_SIZE).fill(
    undefined,
  )
}

/** The counters of one hour and life. */
export class Hour implements Counters {
  /** The start of the hour, in Unix milliseconds. */
  readonly from: number
  /** The life that counts. */
  readonly life: string
  readonly #keepsScopes: boolean
  readonly #slots = new Map<string, number>()
  readonly #blocks: Block[] = []

  constructor(from: number, life: string, keepsScopes: boolean) {
    this.from = from
    this.life = life
    this.#keepsScopes = keepsScopes
  }

  /** The end of the hour. */
  get to(): number {
    return this.from + HOUR
  }

  /** The number of tokens. */
  get size(): number {
    return this.#slots.size
  }

  /** The ids of all tokens, with their places. */
  get slots(): Iterable<readonly [string, number]> {
    return this.#slots
  }

  /** The place of a token, or -1 if it has none. */
  find(id: string): number {
    return this.#slots.get(id) ?? -1
  }

  /** Adds a token and returns its place. */
  add(id: string): number {
    const slot = this.#slots.size
    this.#slots.set(id, slot)
    if ((slot & IN_BLOCK) === 0) this.#blocks.push(new Block())
    return slot
  }

  /** Opens the place for a cached token, which counts its own uses from now on. */
  open(token: Counted, slot: number, now: number): void {
    const block = this.#block(slot)
    const i = slot & IN_BLOCK
    const before = block.open[i]
    if (before !== undefined && before !== token) this.close(before, now)
    block.open[i] = token
    token.hour = this
    token.slot = slot
    if (block.requests[i] === 0) block.first[i] = now - this.from
  }

  /** The cached token that counts at this place. */
  openAt(slot: number): Counted | undefined {
    return this.#block(slot).open[slot & IN_BLOCK]
  }

  /** Collects the uses of a cached token and ends its counting: its next use is reported. */
  close(token: Counted, now: number): void {
    this.collect(token, now)
    const block = this.#block(token.slot)
    if (block.open[token.slot & IN_BLOCK] === token) block.open[token.slot & IN_BLOCK] = undefined
    token.hour = undefined
    token.reportedMinute = -1
  }

  /** Adds the uses of a cached token since the last time. */
  collect(token: Counted, now: number): void {
    const { uses, met, principal, slot } = token
    if (uses === 0) return
    token.uses = 0
    const block = this.#block(slot)
    const i = slot & IN_BLOCK
    const before = block.requests[i] as number
    // The time of each use is not recorded, only its minute. Reporting the end of it never makes a token look idle.
    // The clock may have stepped back since.
    const start = token.reportedMinute * MINUTE
    const end = Math.max(start, Math.min(now, start + MINUTE - 1))
    const since = { uses: before, lastUsedAt: this.from + (block.last[i] as number) }
    block.requests[i] = Math.min(before + uses, MAX_COUNT)
    block.last[i] = Math.max(block.last[i] as number, block.first[i] as number, end - this.from)
    block.changed[i] = 1
    if (!this.#keepsScopes || met === undefined) return
    const known = block.details[i]
    const lastUsedAt = this.from + (block.last[i] as number)
    if (known === met) return
    if (known === undefined && before === 0 && isPlain(met)) {
      block.details[i] = met
      return
    }
    const detail = this.#detail(block, i)
    if (detail.isOnly(met)) return
    if (before === 0 && isPlain(met)) detail.begin(met)
    else detail.addScopes({ demand: met, granted: principal.scopes, uses, lastUsedAt }, since)
  }

  /** Adds one refusal. */
  refuse(slot: number, code: string): void {
    const block = this.#block(slot)
    this.#detail(block, slot & IN_BLOCK).refuse(code)
    block.changed[slot & IN_BLOCK] = 1
  }

  /** Adds one accepted request of a caller. */
  call(slot: number, caller: Caller): void {
    const block = this.#block(slot)
    this.#detail(block, slot & IN_BLOCK).call(caller)
    block.changed[slot & IN_BLOCK] = 1
  }

  #detail(block: Block, i: number): Detail {
    const known = block.details[i]
    if (known instanceof Detail) return known
    const detail = new Detail()
    if (known !== undefined) detail.begin(known)
    block.details[i] = detail
    return detail
  }

  /** Whether the counters of a token were changed since they were last taken. */
  isChanged(slot: number): boolean {
    return this.#block(slot).changed[slot & IN_BLOCK] === 1
  }

  /** The row of a token, to be written. */
  take(id: string, slot: number): UsageRow {
    const block = this.#block(slot)
    const i = slot & IN_BLOCK
    block.changed[i] = 0
    const requests = block.requests[i] as number
    const lastUsedAt = this.from + (block.last[i] as number)
    const known = block.details[i]
    const detail = known instanceof Detail ? known : undefined
    return {
      id,
      from: this.from,
      life: this.life,
      requests,
      refused: detail?.refused ?? {},
      firstUsedAt: requests === 0 ? null : this.from + (block.first[i] as number),
      lastUsedAt: requests === 0 ? null : lastUsedAt,
      scopes:
        detail?.scopes(requests, lastUsedAt) ??
        (known === undefined ? [] : scopesOf(known as Demand, requests, lastUsedAt)),
      callers: detail?.callers ?? [],
      others: detail?.others ?? 0,
    }
  }

  /** Marks rows that could not be written. */
  restore(rows: readonly UsageRow[]): void {
    for (const { id } of rows) {
      const slot = this.find(id)
      if (slot >= 0) this.#block(slot).changed[slot & IN_BLOCK] = 1
    }
  }

  #block(slot: number): Block {
    return this.#blocks[slot >> BLOCK_BITS] as Block
  }
}
