/**
 * Simulated time: one queue of what is to happen, in the order in which it does, and clocks that nodes read.
 *
 * @module
 */
import { type ResolvedClock, resolveClock, type Timer } from '../../src/lib/clock.js'

/** When the world begins, in Unix milliseconds. */
export const START = Date.UTC(2026, 0, 1)

/** Whose event it is: it waits while the owner is suspended, and does not take place once it is dead. */
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

/** The one time that all of a world shares, in milliseconds from its beginning. */
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

  /** Lets everything happen up to this time; after each, everything that it set off, and then `watch`. */
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

  /** Lets an owner go on, with everything that has been waiting for it. */
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

/** Lets every promise that can settle do so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The clocks of one machine: the wall clock can be wrong and be stepped, the steady one can stand still. */
export interface MachineClock {
  readonly clock: ResolvedClock
  /** How far the wall clock is ahead, in milliseconds. */
  offset: number
  /** How long the steady clock stood still. */
  stoodStill: number
}

/** Makes the clocks of one process on a machine. */
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
