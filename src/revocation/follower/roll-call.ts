/**
 * Roll calls: asks every running node to confirm that it has applied an event.
 *
 * @module
 */
import type { Position, RevocationFeed } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { FeedEntry, NodeEntry } from '../index/entries.js'
import type { RollCall } from '../log/revocation-log.js'
import type { AgreedTime } from './agreed-time.js'
import { type Member, type Members, memberText } from './members.js'
import type { Replica } from './replica.js'

/** Replaces the time of a `leave`: another node stopped waiting for this one, which may still be running. */
export const GIVEN_UP = 0

/** Options of roll calls. */
export interface RollCallsOptions {
  readonly me: Member
  readonly members: Members
  readonly feed: RevocationFeed
  readonly replica: Pick<Replica, 'reached'>
  readonly clock: ResolvedClock
  readonly time: AgreedTime
  readonly maxStalenessMs: number
  readonly append: (entries: readonly FeedEntry[]) => Promise<Position>
}

interface Call {
  /** The position of its event. Until it is known, no node can have acknowledged the event. */
  seq: number
  readonly done: () => void
}

// Authorities on one feed object of one process receive an event before the append resolves, so no node is asked.
const neighbours = new WeakMap<RevocationFeed, Set<RollCalls>>()

/** The acknowledgements of the other nodes, and the calls that wait for them. */
export class RollCalls {
  readonly #options: RollCallsOptions
  /** The highest `seq` that each instance has acknowledged. */
  readonly #acked = new Map<string, number>()
  readonly #calls = new Set<Call>()

  constructor(options: RollCallsOptions) {
    this.#options = options
    const { feed } = options
    if (feed.peek === undefined) return
    const here = neighbours.get(feed) ?? new Set()
    neighbours.set(feed, here.add(this))
  }

  /** Records that an instance has applied everything up to this `seq`. */
  acknowledged(life: string, seq: number): void {
    this.#acked.set(life, Math.max(seq, this.#acked.get(life) ?? 0))
    for (const call of this.#calls) this.#check(call)
  }

  /** Records that an instance is no longer waited for. */
  left(life: string): void {
    this.#acked.delete(life)
    for (const call of this.#calls) this.#check(call)
  }

  /** Drops acknowledgements of another epoch. */
  forget(): void {
    this.#acked.clear()
  }

  /** Ends every call. */
  stop(): void {
    neighbours.get(this.#options.feed)?.delete(this)
    for (const call of this.#calls) call.done()
  }

  /**
   * Publishes through `publish` with a call for acknowledgements, and waits for them for at most `timeoutMs`. Rejects
   * like `publish`.
   */
  async call(
    publish: (call: NodeEntry) => Promise<Position>,
    timeoutMs: number,
  ): Promise<RollCall> {
    const { feed, me, clock, time, maxStalenessMs } = this.#options
    const word: NodeEntry = { kind: 'call', value: memberText(me), until: time.stamp() }
    if (feed.peek !== undefined) return this.#callHere(await publish(word))
    const started = clock.monotonic()
    let done = () => {}
    const finished = new Promise<void>((resolve) => {
      done = resolve
    })
    const call: Call = { seq: Number.POSITIVE_INFINITY, done }
    this.#calls.add(call)
    try {
      const position = await publish(word)
      call.seq = position.seq
      this.#check(call)
      const timer = clock.setTimer(done, Math.max(0, timeoutMs - (clock.monotonic() - started)))
      await finished
      timer.cancel()
      const others = this.#awaited()
      const pending = this.#pending(call)
      const applied = others.filter((member) => !pending.includes(member.life))
      const silent = others.filter((member) => pending.includes(member.life))
      if (timeoutMs > maxStalenessMs) this.#dismiss(silent)
      return { position, applied: [me.name, ...namesOf(applied)].sort(), pending: namesOf(silent) }
    } finally {
      this.#calls.delete(call)
    }
  }

  #pending({ seq }: Call): string[] {
    return this.#awaited().flatMap(({ life }) => ((this.#acked.get(life) ?? 0) < seq ? [life] : []))
  }

  #awaited(): readonly Member[] {
    return this.#options.members.others().filter(({ isGivenUp }) => !isGivenUp)
  }

  #check(call: Call): void {
    if (this.#pending(call).length === 0) call.done()
  }

  async #callHere(position: Position): Promise<RollCall> {
    // The first event of a log only causes the others to read it.
    await new Promise((resolve) => setImmediate(resolve))
    const here = [...(neighbours.get(this.#options.feed) ?? [])]
    const has = ({ replica }: RollCallsOptions) => replica.reached(position.epoch, position.seq)
    const names = (applied: boolean) =>
      here.flatMap((node) => (has(node.#options) === applied ? [node.#options.me.name] : [])).sort()
    return { position, applied: names(true), pending: names(false) }
  }

  #dismiss(members: readonly Member[]): void {
    if (members.length === 0) return
    const gone = members.map((member) => ({
      kind: 'leave' as const,
      value: memberText(member),
      until: GIVEN_UP,
    }))
    void this.#options.append(gone).catch(() => undefined)
  }
}

function namesOf(members: readonly Member[]): string[] {
  return members.map(({ name }) => name).sort()
}
