/**
 * A push channel that loses, repeats, delays and reorders pushes.
 *
 * @module
 */
import type { SealedEvent, WatchHint } from '../../feed/feed.js'
import type { Chance } from './dice.js'
import type { Gate } from './gate.js'

type Wake = (hint?: WatchHint) => void
type Push = WatchHint | undefined

/** The dependencies of a channel. */
export interface ChannelOptions {
  readonly chance: Chance
  readonly gate: Gate
  /** Runs the work later, after the given share of the maximum delay. */
  readonly later: (share: number, work: () => void) => void
  /** Whether pushes are currently hidden. */
  readonly isHidden: () => boolean
}

/** Runs a watch through a channel with faults, until either ends. */
export async function watchThrough(
  options: ChannelOptions,
  watch: (wake: Wake, signal: AbortSignal) => Promise<void>,
  wake: Wake,
  signal: AbortSignal,
): Promise<void> {
  const { gate, isHidden } = options
  await gate.pass('watch')
  const controller = new AbortController()
  const abort = () => controller.abort()
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  let end: (error: Error) => void = abort
  const ended = new Promise<never>((_, reject) => {
    end = reject
  })
  const wire = channel(options, wake, () => end(new Error('chaos: the channel ended')))
  const leave = gate.onCut(end)
  const take = (push?: Push) =>
    gate.whenFree(() => {
      if (!gate.isCut && !isHidden()) wire.push(push)
    })
  try {
    await Promise.race([watch(take, controller.signal), ended])
  } finally {
    wire.close()
    leave()
    signal.removeEventListener('abort', abort)
    abort()
  }
}

function channel({ chance, later }: ChannelOptions, wake: Wake, end: () => void) {
  let held: Push[] = []
  let isOpen = true

  const deliver = (push: Push) => {
    if (isOpen) wake(push)
  }

  function send(push: Push, isLate: boolean, share: number, times: number): void {
    for (let i = 0; i < times; i++) {
      if (isLate) later(share, () => deliver(push))
      else deliver(push)
    }
    // Delivers a held push after the one that overtook it.
    const passed = held
    held = []
    for (const each of passed) deliver(each)
  }

  return {
    push(push: Push): void {
      if (!isOpen) return
      const { length, ...thrown } = chance.toss('push')
      const fate = chance.pick(thrown.fate, ['pushEnded', 'pushDropped', 'pushReordered'])
      if (fate === 'pushEnded') end()
      else if (fate === 'pushReordered') held.push(reversed(push))
      else if (fate === undefined) {
        const isLate = chance.isHit('pushDelayed', thrown.late)
        const times = chance.isHit('pushRepeated', thrown.again) ? 2 : 1
        send(push, isLate, length, times)
      }
    },
    close(): void {
      isOpen = false
      held = []
    },
  }
}

function reversed(push: Push): Push {
  if (push?.events === undefined) return push
  const events: readonly SealedEvent[] = [...push.events].reverse()
  return { events }
}
