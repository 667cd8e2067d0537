/**
 * Writes the counters of this process to the store, once a minute and on demand.
 *
 * Rows hold totals, so a repeated or late write changes nothing. The rows are written first, then the life that covers
 * them.
 *
 * @module
 */
import type { ResolvedClock, Timer } from '../../lib/clock.js'
import { DAY } from '../../lib/duration.js'
import type { UsageRow, UsageStore } from '../../store/usage.js'
import type { StoreCall } from '../failures.js'
import { changedRows, turn } from './changed-rows.js'
import type { Hour } from './hour.js'
import type { Lives } from './life.js'
import type { UsageRecorder } from './recorder.js'

/** Rows of older hours are not sent: the store sums them into days. */
export const MAX_ROW_AGE_MS = 2 * DAY

/** The calls in progress at once: while the store works on one, the next is encoded. */
const IN_FLIGHT = 2
/** A flush starts at a random time of this share of the interval. */
const JITTER = 0.2

/** Options of the keeper. */
export interface KeeperOptions {
  readonly clock: ResolvedClock
  readonly part: UsageStore
  readonly call: StoreCall
  readonly lives: Lives
  /** The counters; `undefined` if this process does not count, which its life then says. */
  readonly recorder: UsageRecorder | undefined
  readonly flushEveryMs: number
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Writes the counters of one process. */
export class UsageKeeper {
  readonly #options: KeeperOptions
  #timer: Timer | undefined
  #running: Promise<number> | undefined
  #next: Promise<number> | undefined
  #isStopped = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Announces the life and starts to write. Never rejects: an announcement that fails is repeated. */
  async start(): Promise<void> {
    this.#options.lives.start()
    await this.#announce().catch(() => undefined)
    // The nodes of a fleet that started together do not write together.
    if (!this.#isStopped) this.#schedule(this.#options.random())
  }

  #schedule(share: number): void {
    const { clock, flushEveryMs } = this.#options
    this.#timer = clock.setTimer(() => {
      // What was not written stays in memory for the next time.
      void this.flush()
        .catch(() => undefined)
        .finally(() => {
          if (this.#isStopped) return
          this.#schedule(1 + JITTER * (this.#options.random() - 0.5))
        })
    }, flushEveryMs * share)
  }

  /** Writes everything that was counted before this call. Resolves with the time of that call. */
  flush(): Promise<number> {
    if (this.#running === undefined) {
      this.#running = this.#write().finally(() => {
        this.#running = undefined
      })
      return this.#running
    }
    // The one in progress may have passed what was counted since it began.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.flush()
      })
    return this.#next
  }

  /** Stops the timer. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** Writes the last counts and ends the life. No use may be counted any more. */
  async close(): Promise<void> {
    this.stop()
    // A life that could not be announced covers nothing, and its end would say that it does. One that ended later than
    // its last write began would have a gap, although nothing was counted in it.
    this.#options.lives.end(await this.flush())
    await this.#writeLives()
  }

  /** The number of counters in memory. */
  get size(): number {
    return this.#options.recorder?.size ?? 0
  }

  async #announce(): Promise<void> {
    const { lives, part, call } = this.#options
    const life = lives.announcement()
    if (life === undefined) return
    await call(() => part.mergeLife(life), 'usage')
    lives.announced(life)
  }

  async #write(): Promise<number> {
    const { clock, lives, recorder } = this.#options
    if (lives.look()) recorder?.turnLife(clock.judged())
    await this.#announce()
    const at = clock.reading()
    if (recorder !== undefined) {
      await this.#writeHours(recorder, at)
      lives.cover(at)
    }
    if (lives.renew(at)) {
      recorder?.turnLife(clock.judged())
      await this.#announce()
    }
    await this.#writeLives()
    return at
  }

  async #writeLives(): Promise<void> {
    const { lives, part, call } = this.#options
    for (const life of lives.pending()) {
      await call(() => part.mergeLife(life), 'usage')
      lives.written(life)
    }
  }

  async #writeHours(recorder: UsageRecorder, at: number): Promise<void> {
    for (const hour of recorder.hours) {
      const isCurrent = recorder.isCurrent(hour)
      if (hour.to <= at - MAX_ROW_AGE_MS) this.#drop(hour)
      else await this.#writeHour(hour, isCurrent)
      // Nothing is added to an hour that was over before it was written.
      if (!isCurrent && !recorder.isCurrent(hour)) recorder.remove(hour)
    }
  }

  #drop(hour: Hour): void {
    const { clock, lives } = this.#options
    let isLost = false
    for (const [, slot] of hour.slots) {
      const token = hour.openAt(slot)
      if (token !== undefined) hour.close(token, clock.judged())
      isLost ||= hour.isChanged(slot)
    }
    if (isLost) lives.lose(hour.from, hour.to)
  }

  async #writeHour(hour: Hour, isCurrent: boolean): Promise<void> {
    const sending: Promise<void>[] = []
    try {
      for await (const rows of changedRows(hour, isCurrent, this.#options.clock)) {
        const sent = this.#send(hour, rows)
        // Rejects where it is awaited, which may be later.
        sent.catch(() => undefined)
        sending.push(sent)
        // Before the next rows are taken: no row is taken that is not sent.
        if (sending.length === IN_FLIGHT) await sending.shift()
      }
      for (const sent of sending) await sent
    } finally {
      await Promise.allSettled(sending)
    }
  }

  async #send(hour: Hour, rows: readonly UsageRow[]): Promise<void> {
    const { part, call, lives } = this.#options
    await turn()
    try {
      const closedUntil = await call(() => part.mergeRows(rows), 'usage')
      // The store has summed up this hour, by a clock that is ahead of this one, and skipped the rows.
      if (!(closedUntil < hour.to)) lives.lose(hour.from, hour.to)
    } catch (error) {
      hour.restore(rows)
      throw error
    }
  }
}
