/**
 * Simulated time: one queue of events in order of time, and the clocks that nodes read.
 *
 * @module
 */
import { type ResolvedClock, resolveClock, type Timer } from '../../src/lib/clock.js'

/** The start of the world, in Unix milliseconds. */
export const START = Date.UTC(2026, 0, 1)

/** The owner of an event. The event waits while its owner is suspended, and is dropped when the owner has ended. */
export interface Owner {
  dead: boolean
  suspended: boolean
  readonly waiting: Array<() => void>
}

interface Happening {
  readonly at: number
  readonly order: number
  readonly owner: Owner | undefined
  run: (() => void) | undefined
}

const isBefore = (a: Happening, b: Happening) => a.at < b.at || (a.at === b.at && a.order < b.order)

/** The time that all parts of a world share, in milliseconds since its start. */
export class Time {
  now = 0
  #order = 0
  readonly #heap: Happening[] = []

  /** Schedules an action after `delay`, on behalf of an owner or of the world itself. */
  after(delay: number, owner: Owner | undefined, run: () => void): Timer {
    const happening: Happening = {
      at: this.now + Math.max(0, Math.ceil(delay)),
      order: this.#order++,
      owner,
      run,
    }
    this.#push(happening)
    return {
      cancel: () => {
        happening.run = undefined
      },
    }
  }

  /** Waits. */
  sleep(delay: number, owner?: Owner): Promise<void> {
    return new Promise((resolve) => void this.after(delay, owner, resolve))
  }

  /** Runs all events up to this time. After each event, runs the promises that it resolved, and then calls `watch`. */
  async run(until: number, watch: () => void): Promise<void> {
    await turn()
    for (;;) {
      const [next] = this.#heap
      if (next === undefined || next.at > until) break
      this.#pop()
      const { owner, run } = next
      if (run === undefined || owner?.dead) continue
      this.now = Math.max(this.now, next.at)
      if (owner?.suspended) {
        owner.waiting.push(run)
        continue
      }
      run()
      await turn()
      watch()
    }
    this.now = until
  }

  /** Resumes an owner, with all events that have been waiting for it. */
  resume(owner: Owner): void {
    owner.suspended = false
    for (const run of owner.waiting.splice(0)) this.after(0, owner, run)
  }

  #push(happening: Happening): void {
    const heap = this.#heap
    let at = heap.push(happening) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(happening, heap[parent] as Happening)) break
      heap[at] = heap[parent] as Happening
      at = parent
    }
    heap[at] = happening
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Happening
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      if (right !== undefined && isBefore(right, heap[child] as Happening)) child++
      if (!isBefore(heap[child] as Happening, last)) break
      heap[at] = heap[child] as Happening
      at = child
    }
    heap[at] = last
  }
}

/** Waits until every promise that can settle has settled. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The clocks of one machine. The wall clock can be wrong and be stepped; the monotonic clock can stop. */
export interface MachineClock {
  readonly clock: ResolvedClock
  /** How far the wall clock is ahead, in milliseconds. */
  offset: number
  /** How long the monotonic clock was stopped, in milliseconds. */
  stoodStill: number
}

/** Creates the clocks of one process on a machine. */
export function machineClock(time: Time, owner: Owner, offset: number): MachineClock {
  const machine: MachineClock = {
    offset,
    stoodStill: 0,
    clock: resolveClock({
      now: () => START + time.now + machine.offset,
      monotonic: () => time.now - machine.stoodStill,
      setTimer: (callback, delay) => time.after(delay, owner, callback),
    }),
  }
  return machine
}
