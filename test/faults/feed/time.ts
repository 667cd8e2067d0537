/**
 * The time that all processes of this machine share, independent of the clock of an authority.
 */
import { setTimeout as sleep } from 'node:timers/promises'

/** The time in fractional milliseconds. */
export function instant(): number {
  return performance.timeOrigin + performance.now()
}

/** Waits until the condition holds. Resolves with whether it did in time. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<boolean> {
  const deadline = instant() + withinMs
  while (!(await isSo())) {
    if (instant() > deadline) return false
    await sleep(5)
  }
  return true
}
