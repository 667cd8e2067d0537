/**
 * A feed that responds after a delay and does not push, as over a network.
 *
 * @module
 */
import type { RevocationFeed } from 'watchword/feed'
import type { ManualClock } from 'watchword/testkit'

/** Waits on the clock of the fleet. */
export const wait = (clock: ManualClock, ms: number) =>
  new Promise<void>((resolve) => void clock.setTimer(resolve, ms))

/** The log that a feed leads to, and the methods that a test replaces. */
export type DelayedLine = {
  -readonly [Name in 'head' | 'append' | 'touch']?: RevocationFeed[Name]
} & {
  log: RevocationFeed
}

/** A feed that responds after a delay, over the log that the line leads to. */
export function delayed(
  clock: ManualClock,
  line: DelayedLine,
  delayMs: number,
): Partial<RevocationFeed> {
  const via = async <T>(call: () => Promise<T>): Promise<T> => {
    await wait(clock, delayMs)
    const result = await call()
    await wait(clock, delayMs)
    return result
  }
  return {
    info: { ...line.log.info, push: false },
    head: (...args) => line.head?.(...args) ?? via(() => line.log.head(...args)),
    read: (...args) => via(() => line.log.read(...args)),
    append: (...args) => line.append?.(...args) ?? via(() => line.log.append(...args)),
    touch: async (...args) =>
      (await (line.touch?.(...args) ?? via(async () => line.log.touch?.(...args)))) ?? false,
  }
}
