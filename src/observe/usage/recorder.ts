/**
 * Counts how tokens are used, on the hot path.
 *
 * An accepted request adds one to a field of the cached token, and nothing else. The field is added to the counters of
 * the hour when the minute ends, when the requirement changes, when the token leaves the cache, and when the counters
 * are written.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import { HOUR } from '../../lib/duration.js'
import { readField } from '../../lib/fields.js'
import type { RequestContext } from '../channels.js'
import type { Caller, Counted } from './counted.js'
import { Hour } from './hour.js'

/** The maximum number of counters in memory, over all hours that are not written yet. */
export const MAX_COUNTERS = 500_000

const MAX_ADDRESS = 64
const MAX_TEXT = 256
/** Callers that share one object. Beyond this, all are created anew. */
const MAX_CALLERS = 10_000

/** Options of the recorder. */
export interface RecorderOptions {
  readonly scopes: boolean
  readonly callers: boolean
  /** Whether tokens are cached. Otherwise each use is collected at once. */
  readonly caches: boolean
  /** The maximum number of counters. Default: {@link MAX_COUNTERS}. */
  readonly max?: number
  /** The life that counts. */
  readonly life: () => string
  /** Called with the time of the first use of a token in a minute. */
  readonly onTime: (now: number) => void
  /** Called with the time of a use that could not be counted. */
  readonly onLost: (at: number) => void
}

/** The counters of one process. */
export class UsageRecorder {
  readonly #options: RecorderOptions
  readonly #max: number
  /** The counters by hour, the current one included. An hour is removed once it has ended and is written. */
  readonly #hours = new Set<Hour>()
  #current: Hour | undefined
  readonly #callers = new Map<string, Caller>()

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#max = options.max ?? MAX_COUNTERS
  }

  /** Whether callers are counted. */
  get keepsCallers(): boolean {
    return this.#options.callers
  }

  /** All counters, oldest first. */
  get hours(): readonly Hour[] {
    return [...this.#hours].sort((a, b) => a.from - b.from)
  }

  /** The number of counters in memory. */
  get size(): number {
    let size = 0
    for (const hour of this.#hours) size += hour.size
    return size
  }

  /** Whether the hour still receives uses. */
  isCurrent(hour: Hour): boolean {
    return hour === this.#current
  }

  /** Starts to count a token that was not used in this minute yet. Called before `uses` is incremented. */
  report(token: Counted, minute: number, now: number): void {
    const { hour: before } = token
    this.#options.onTime(now)
    const hour = this.#hourOf(now)
    if (before === hour) {
      hour.collect(token, now)
      token.reportedMinute = minute
      return
    }
    before?.close(token, now)
    token.uses = 0
    const slot = this.#slotIn(hour, token.principal.id, now)
    // Without a place, every further use is reported too.
    if (slot < 0) return
    token.reportedMinute = minute
    hour.open(token, slot, now)
    if (this.#options.caches) return
    token.uses = 1
    hour.close(token, now)
  }

  /** Ends the uses of a token with the requirement that it met so far, before another one is set. */
  turn(token: Counted, now: number): void {
    token.hour?.collect(token, now)
  }

  /** Collects the uses of a token that left the cache. */
  release(token: Counted, now: number): void {
    token.hour?.close(token, now)
  }

  /** Adds a refusal of an authentic token. */
  refuse(token: Counted, code: string, now: number): void {
    // A clock that fails tells no time, and accepts nothing.
    if (now === Number.POSITIVE_INFINITY) return
    const hour = this.#hourOf(now)
    const slot = token.hour === hour ? token.slot : this.#slotIn(hour, token.principal.id, now)
    if (slot >= 0) hour.refuse(slot, code)
  }

  /** Adds the caller of an accepted request, which was counted before. */
  call(token: Counted, context: RequestContext, clock: Pick<ResolvedClock, 'judged'>): void {
    if (!this.#options.callers || typeof context !== 'object' || context === null) return
    // Runs code of the application if a field is a getter, so the counters are read afterwards.
    const caller = this.#callerOf(context)
    const now = clock.judged()
    if (now === Number.POSITIVE_INFINITY) return
    const hour = this.#hourOf(now)
    const slot = token.hour === hour ? token.slot : this.#slotIn(hour, token.principal.id, now)
    if (slot >= 0) hour.call(slot, caller)
  }

  /** Ends all counting, so every token starts again with the next life. The counters stay until they are written. */
  turnLife(now: number): void {
    this.#current = undefined
    for (const hour of this.#hours) closeAll(hour, now)
  }

  /** Removes an hour that is written. */
  remove(hour: Hour): void {
    this.#hours.delete(hour)
    if (hour === this.#current) this.#current = undefined
  }

  #hourOf(now: number): Hour {
    const current = this.#current
    if (current !== undefined && now >= current.from && now < current.to) return current
    const from = Math.floor(now / HOUR) * HOUR
    const life = this.#options.life()
    let hour: Hour | undefined
    // The clock may have stepped back to an hour that is not written yet.
    for (const each of this.#hours) if (each.from === from && each.life === life) hour = each
    hour ??= new Hour(from, life, this.#options.scopes)
    this.#hours.add(hour)
    this.#current = hour
    return hour
  }

  #slotIn(hour: Hour, id: string, now: number): number {
    const slot = hour.find(id)
    if (slot >= 0) return slot
    if (this.size < this.#max) return hour.add(id)
    this.#options.onLost(now)
    return -1
  }

  // One object for each caller, since most callers use many tokens or many hours.
  #callerOf(context: RequestContext): Caller {
    const address = textOf(context, 'address', MAX_ADDRESS)
    const route = textOf(context, 'route', MAX_TEXT)
    const userAgent = textOf(context, 'userAgent', MAX_TEXT)
    const key = `${address}\n${route}\n${userAgent}`
    const known = this.#callers.get(key)
    if (known !== undefined) return known
    const caller = { address, route, userAgent }
    if (this.#callers.size >= MAX_CALLERS) this.#callers.clear()
    this.#callers.set(key, caller)
    return caller
  }
}

/** Closes every cached token of an hour. */
function closeAll(hour: Hour, now: number): void {
  for (const [, slot] of hour.slots) {
    const token = hour.openAt(slot)
    if (token !== undefined) hour.close(token, now)
  }
}

/** A field of a context as text that every database can store: cut, and without U+0000 and lone surrogates. */
function textOf(context: RequestContext, field: keyof RequestContext, max: number): string {
  const value = readField(context, field)
  if (typeof value !== 'string') return ''
  return value.slice(0, max).toWellFormed().replaceAll('\0', '\uFFFD')
}
