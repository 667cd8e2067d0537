/**
 * Watched connections: the memory that one takes, and the time in which a revocation among many ends the right one.
 *
 * @module
 */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { Watchword } from '../../src/index.js'
import { SYSTEM_CLOCK } from '../../src/lib/clock.js'
import type { Verified } from '../../src/types.js'
import { NO_REQUIREMENT } from '../../src/verbs/requirement.js'
import { Watches, type WatchesOptions } from '../../src/verbs/watches.js'
import { demand } from '../expect.js'
import { createFixture, issueMany } from '../fixture.js'
import { bytesInUse } from '../heap.js'
import type { Case } from '../results.js'
import { median } from '../statistics.js'

const WATCHES = 50_000
const TIMES = 11
/** Longer than four times the duration of a pass, for which the next one waits. */
const REST_MS = 2000

export const watch: Case = {
  name: 'watch',
  async run(settings) {
    const fixture = await createFixture()
    const node = await fixture.join({ cache: { max: 50_000 } })
    const results = fixture.tokens.map((token) => accepted(node, token))
    const alone = await bytesAlone(results)
    const before = await bytesInUse()
    const lives = Array.from({ length: WATCHES }, (_, i) => node.watch(resultAt(results, i)))
    const bytes = ((await bytesInUse()) - before) / WATCHES
    const ms = await passesOf(node, settings.quick ? 5 : TIMES)
    demand('watched', node.health().connections.watched === WATCHES)
    demand('not aborted', !lives.some(({ aborted }) => aborted))
    await node.close()
    await fixture.close()
    const figure = { kind: 'ours' } as const
    return {
      name: 'watch',
      title: 'Watched connections',
      about: [
        `${WATCHES} watches of ${fixture.tokens.length} tokens; "with its signal" adds Node's AbortSignal and its controller.`,
        'The time is from the call of revoke on the same node until the signal of the last watch has aborted.',
      ],
      timings: [],
      ratios: {},
      figures: [
        { ...figure, name: 'a watch', value: alone, unit: 'B' },
        { ...figure, name: 'a watch with its signal', value: bytes, unit: 'B' },
        { ...figure, name: `one ends among ${WATCHES}`, value: median(ms), unit: 'ms' },
        { ...figure, name: 'the slowest of them', value: Math.max(...ms), unit: 'ms' },
      ],
    }
  },
}

function accepted(node: Watchword, token: string): Verified {
  const result = node.verify(token)
  if (!result.ok) throw new Error(result.code)
  return result
}

const resultAt = (results: readonly Verified[], i: number): Verified =>
  results[i % results.length] as Verified

/** The memory of a watch without a signal; the settings are those of a guard, which all of its watches share. */
async function bytesAlone(results: readonly Verified[]): Promise<number> {
  const watches = new Watches({
    clock: SYSTEM_CLOCK,
    index: {},
    verifier: { remains: () => Number.MAX_SAFE_INTEGER, isLive: () => true },
    searchMs: 1000,
    successorOf: async () => undefined,
  } as unknown as WatchesOptions)
  const end = () => undefined
  const staleMs = Number.POSITIVE_INFINITY
  const settings = { requirement: NO_REQUIREMENT, marginMs: 0, staleMs }
  const before = await bytesInUse()
  for (let i = 0; i < WATCHES; i++) {
    const principal = resultAt(results, i)
    watches.add({ settings, principal, end, isMoving: false, dueAt: 0, place: -1 })
  }
  const bytes = (await bytesInUse()) - before
  demand('watched alone', watches.size === WATCHES)
  watches.close()
  return bytes / WATCHES
}

/** Milliseconds until a revoked token's watch ends; it is the last in the queue, because it expires last. */
async function passesOf(node: Watchword, times: number): Promise<number[]> {
  const took: number[] = []
  for (const issued of await issueMany(node, times)) {
    const life = node.watch(accepted(node, issued.token))
    const ended = once(life, 'abort')
    const began = performance.now()
    await node.revoke({ id: issued.id }, { actor: 'bench' })
    await ended
    took.push(performance.now() - began)
    await setTimeout(REST_MS)
  }
  return took
}
