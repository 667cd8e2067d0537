/**
 * Memory in use, and tokens whose text takes none of the heap.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import { createWatchword, type WatchwordOptions } from '../src/index.js'
import { issueMany } from './fixture.js'
import { cutter } from './pool.js'

/** The heap and the memory outside it in bytes, after a collection. */
export async function bytesInUse(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc')
  // Finished promises and detached buffers are let go of between turns of the loop, in more than one step.
  for (let i = 0; i < 4; i++) {
    globalThis.gc()
    await setTimeout(10)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Issues tokens, and returns a function that cuts the next one. By then nothing else of them is left in memory. */
export async function cutterOfIssued(
  options: WatchwordOptions,
  count: number,
  claims?: Readonly<Record<string, unknown>>,
): Promise<() => string> {
  const issuer = await createWatchword({ ...options, cache: false })
  const issued = await issueMany(issuer, count, claims === undefined ? {} : { claims })
  return cutter(issued.map(({ token }) => token))
}
