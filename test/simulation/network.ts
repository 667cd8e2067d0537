/**
 * The network between the nodes and the log. The request and the reply of each call can be lost or delayed.
 *
 * @module
 */
import type {
  CallOptions,
  RevocationFeed,
  SealedEvent,
  SealedHead,
  WatchHint,
} from '../../src/feed/feed.js'
import type { Broker } from './broker.js'
import type { Dice } from './dice.js'
import type { Owner, Time } from './time.js'

/** The probability of each kind of failure, from 0 to 1. */
export interface Weather {
  readonly lostBefore: number
  readonly lostAfter: number
  /** The request or the reply takes as long as the timeout of a node, or longer. */
  readonly slow: number
  readonly pushLost: number
  readonly pushTwice: number
  readonly pushLate: number
  readonly pushEnds: number
}

/** Every message arrives quickly. */
export const CALM: Weather = {
  lostBefore: 0,
  lostAfter: 0,
  slow: 0,
  pushLost: 0,
  pushTwice: 0,
  pushLate: 0,
  pushEnds: 0,
}

/** A network that loses some messages. */
export function storm(dice: Dice, pushesOnly: boolean): Weather {
  const some = (most: number) => dice.next() * most
  const calls = pushesOnly ? CALM : { lostBefore: some(0.3), lostAfter: some(0.3), slow: some(0.3) }
  return {
    ...CALM,
    ...calls,
    pushLost: some(0.6),
    pushTwice: some(0.4),
    pushLate: some(0.6),
    pushEnds: some(0.1),
  }
}

/** The connection of one node to the log. */
export interface Line {
  readonly feed: RevocationFeed
  cut: boolean
  /** Whether the node reaches the promoted replica during a split. */
  isAstray: boolean
  /** Since when the node receives an old head; `undefined` if it reads the log itself. */
  frozenSince: number | undefined
  /** When the last call was sent that the log itself replied to. */
  confirmedAt: number
  /** From now on, returns the log as it is now to the node, or no log at all. */
  freeze(isHidden: boolean): void
  thaw(): void
}

interface Picture {
  readonly head: SealedHead | null
}

interface Watch {
  readonly owner: Owner
  readonly line: Line
  readonly wake: (hint?: WatchHint) => void
  readonly end: () => void
}

/** Options of the network. */
export interface NetworkOptions {
  readonly time: Time
  readonly dice: Dice
  readonly broker: Broker
  /** The timeout of a node, in milliseconds. */
  readonly deadlineMs: number
  /** Called after every call that may have changed the log. */
  readonly onChange: () => void
}

/** All connections to one log. */
export class Network {
  weather: Weather = CALM
  /** Every event that was ever appended: an eavesdropper could replay it. */
  readonly seen: SealedEvent[] = []
  readonly #options: NetworkOptions
  readonly #watches = new Set<Watch>()

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  /** Notifies every watch on one side of the broker, as the log itself would. */
  push(hint?: WatchHint, isAstray = false): void {
    for (const watch of this.#watches) if (watch.line.isAstray === isAstray) this.#send(watch, hint)
  }

  /** Breaks the push connection of a node. */
  disconnect(line: Line): void {
    const { time } = this.#options
    for (const watch of this.#watches)
      if (watch.line === line) time.after(1, watch.owner, watch.end)
  }

  /** Creates the connection of one process. */
  line(owner: Owner): Line {
    const { time, broker, onChange } = this.#options
    const side = () => broker.sideOf(line.isAstray)
    let picture: Picture | undefined
    const line: Line = {
      cut: false,
      isAstray: false,
      frozenSince: undefined,
      confirmedAt: Number.NEGATIVE_INFINITY,
      freeze(isHidden) {
        const { head, floor } = side().log
        picture = { head: head === null || isHidden ? null : { ...head, floor } }
        line.frozenSince = time.now
      },
      thaw() {
        picture = undefined
        line.frozenSince = undefined
      },
      feed: this.#feedOf({
        head: async (options) =>
          picture === undefined ? await side().feed.head(options) : picture.head,
        read: async (after, limit, options) => {
          const page = await side().feed.read(after, limit, options)
          if (picture === undefined) return page
          const last = picture.head?.epoch === after.epoch ? picture.head.seq : 0
          return { ...page, events: page.events.filter(({ seq }) => seq <= last) }
        },
        append: async (expect, events, next, options) => {
          const { isAstray } = line
          const result = await side().feed.append(expect, events, next, options)
          if (result.ok) {
            this.seen.push(...events)
            onChange()
            this.push({ events }, isAstray)
          }
          return result
        },
        touch: async (...args) => (await side().feed.touch?.(...args)) ?? false,
        trim: async (...args) => {
          await side().feed.trim?.(...args)
          onChange()
        },
        save: async (chunks) => {
          await side().feed.snapshot?.save(chunks, new AbortController().signal)
          onChange()
        },
        owner,
        line: () => line,
        isFrozen: () => picture !== undefined,
      }),
    }
    return line
  }

  #feedOf({ owner, line, isFrozen, ...real }: Ends): RevocationFeed {
    const call = <T>(effect: () => Promise<T>, confirms: (result: T) => boolean = () => false) =>
      this.#call(owner, line(), effect, (result) => !isFrozen() && confirms(result))
    return {
      info: { name: 'simulated', push: true, durability: 'process', suggestedPollMs: 1000 },
      open: () => Promise.resolve(),
      head: (options) =>
        call(
          () => real.head(options),
          () => true,
        ),
      read: (after, limit, options) => call(() => real.read(after, limit, options)),
      append: (expect, events, next, options) =>
        call(
          () => real.append(expect, events, next, options),
          ({ ok }) => ok,
        ),
      // A touch that is accepted proves that the log itself replied, not an old copy of it.
      touch: (expect, next, options) =>
        this.#call(
          owner,
          line(),
          () => real.touch(expect, next, options),
          (touched) => touched,
        ),
      trim: (upTo, options) => call(() => real.trim(upTo, options)),
      watch: (_from, wake, signal) => this.#watch(owner, line(), wake, signal),
      snapshot: {
        load: (signal) => this.#load(owner, line(), signal),
        save: async (chunks) => {
          const all: Uint8Array[] = []
          for await (const chunk of chunks) all.push(chunk)
          await call(() => real.save(listed(all)))
        },
      },
      close: async () => {},
    }
  }

  async *#load(owner: Owner, line: Line, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { feed } = this.#options.broker.sideOf(line.isAstray)
    const chunks = feed.snapshot?.load(signal)[Symbol.asyncIterator]()
    for (;;) {
      const next = await this.#call(owner, line, async () => chunks?.next())
      if (next === undefined || next.done) return
      yield next.value
    }
  }

  #call<T>(
    owner: Owner,
    line: Line,
    effect: () => Promise<T>,
    confirms: (result: T) => boolean = () => false,
  ): Promise<T> {
    const { time, dice } = this.#options
    const { lostBefore, lostAfter } = this.weather
    const sent = time.now
    const fate = dice.next()
    const [there, back] = [this.#delay(), this.#delay()]
    const isTold = dice.next() < 0.5
    return new Promise((resolve, reject) => {
      // A lost message may fail at once or time out.
      const lose = () => {
        if (isTold) time.after(back, owner, () => reject(new Error('the network lost it')))
      }
      time.after(there, undefined, () => {
        if (line.cut || fate < lostBefore) return lose()
        void effect().then(
          (result) => {
            if (line.cut || fate < lostBefore + lostAfter) return lose()
            time.after(back, owner, () => {
              if (confirms(result)) line.confirmedAt = Math.max(line.confirmedAt, sent)
              resolve(result)
            })
          },
          (error: unknown) => void time.after(back, owner, () => reject(error)),
        )
      })
    })
  }

  #delay(): number {
    const { dice, deadlineMs } = this.#options
    return dice.next() < this.weather.slow
      ? Math.floor(dice.next() * 2 * deadlineMs)
      : Math.floor(dice.next() * 3)
  }

  #watch(
    owner: Owner,
    line: Line,
    wake: (hint?: WatchHint) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve) => {
      const watch: Watch = {
        owner,
        line,
        wake,
        end: () => {
          this.#watches.delete(watch)
          resolve()
        },
      }
      if (signal.aborted) return resolve()
      signal.addEventListener('abort', watch.end, { once: true })
      this.#watches.add(watch)
    })
  }

  #send(watch: Watch, hint?: WatchHint): void {
    const { time, dice, deadlineMs } = this.#options
    const { pushLost, pushTwice, pushLate, pushEnds } = this.weather
    if (watch.owner.dead) {
      this.#watches.delete(watch)
      return
    }
    const { owner, line, wake, end } = watch
    if (dice.next() < pushEnds) time.after(1, owner, end)
    const times = dice.next() < pushLost ? 0 : dice.next() < pushTwice ? 2 : 1
    for (let i = 0; i < times; i++) {
      const delay = dice.next() < pushLate ? dice.next() * deadlineMs : dice.next() * 3
      time.after(delay, owner, () => {
        if (!line.cut && line.frozenSince === undefined) wake(hint)
      })
    }
  }
}

interface Ends {
  readonly owner: Owner
  readonly line: () => Line
  readonly isFrozen: () => boolean
  head(options: CallOptions): Promise<SealedHead | null>
  readonly read: RevocationFeed['read']
  readonly append: RevocationFeed['append']
  readonly touch: NonNullable<RevocationFeed['touch']>
  readonly trim: NonNullable<RevocationFeed['trim']>
  save(chunks: AsyncIterable<Uint8Array>): Promise<void>
}

async function* listed(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* chunks
}
