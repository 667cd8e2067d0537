/**
 * A second connection to the server, used while the caller's connection is silently lost, for instance dropped by a NAT
 * gateway or a load balancer. Such a connection accepts commands and never replies, and nothing closes it.
 *
 * @module
 */
import { withReason } from '../../lib/failure-reason.js'
import type { Command } from './client.js'
import { connect, discard, hasEnded, mute, SILENCE_MS } from './own-client.js'

// If the server is merely slow, the second connection is as slow and does no harm.
const SILENT_AFTER_MS = 1000
// How often the caller's connection is probed while it is silent.
const PROBE_EVERY_MS = 2000

type Create<C> = () => C | Promise<C>

/** Options of a standby. */
export interface StandbyOptions<C extends object, Argument> {
  /** Sends through the caller's connection. */
  readonly command: Command<Argument>
  /** Creates an unconnected client; without it there is no second connection. */
  readonly create: Create<C> | undefined
  readonly commandOf: (client: C) => Command<Argument>
  /** Called each time that the standby stops using the caller's connection. */
  readonly onSilence: () => void
}

/** A connection of the standby's own and the number of commands without a reply. */
interface Own<C> {
  readonly client: Promise<C>
  unreplied: number
  /** No longer used for new commands: it is closed with the last reply. */
  isRetired: boolean
}

/** Sends through the caller's connection, or through its own while the caller's is silent. */
export class Standby<C extends object, Argument> {
  readonly #options: StandbyOptions<C, Argument>
  // When each pending command of the caller's connection was sent, oldest first.
  readonly #waiting = new Set<{ readonly since: number }>()
  #repliedAt = Number.NEGATIVE_INFINITY
  #isSilent = false
  #probedAt = 0
  #own: Own<C> | undefined
  #isClosed = false

  constructor(options: StandbyOptions<C, Argument>) {
    this.#options = options
  }

  /** Sends a command. */
  readonly command: Command<Argument> = (key, args) => {
    const { create } = this.#options
    if (create === undefined) return this.#options.command(key, args)
    this.#judge()
    if (!this.#isSilent) return this.#byCallers(key, args)
    this.#probe(key)
    return this.#byOwn(create, key, args)
  }

  /** Closes the standby's own connection. */
  close(): void {
    this.#isClosed = true
    if (this.#own !== undefined) this.#giveUp(this.#own)
  }

  #judge(): void {
    if (this.#isSilent) return
    const [oldest] = this.#waiting
    if (oldest === undefined || performance.now() - oldest.since < SILENT_AFTER_MS) return
    // If the client has several connections, one response suffices.
    if (this.#repliedAt >= oldest.since) return
    this.#isSilent = true
    this.#probedAt = performance.now()
    this.#options.onSilence()
  }

  async #byCallers(...[key, args]: Parameters<Command<Argument>>): Promise<unknown> {
    const waiting = { since: performance.now() }
    this.#waiting.add(waiting)
    try {
      const reply = await this.#options.command(key, args)
      this.#replied()
      return reply
    } finally {
      this.#waiting.delete(waiting)
    }
  }

  #replied(): void {
    this.#repliedAt = performance.now()
    if (!this.#isSilent) return
    this.#isSilent = false
    if (this.#own !== undefined) this.#retire(this.#own)
  }

  // One probe at a time: commands without a reply stay in the client's memory.
  #probe(key: string): void {
    const now = performance.now()
    if (now - this.#probedAt < PROBE_EVERY_MS) return
    for (const { since } of this.#waiting) if (since >= this.#probedAt) return
    this.#probedAt = now
    this.#byCallers(key, ['EXISTS', key]).catch(() => undefined)
  }

  async #byOwn(create: Create<C>, ...[key, args]: Parameters<Command<Argument>>): Promise<unknown> {
    if (this.#isClosed) throw new Error('the adapter was closed')
    this.#own ??= { client: connected(create), unreplied: 0, isRetired: false }
    const own = this.#own
    own.unreplied++
    try {
      const client = await inTime(own.client)
      if (!hasEnded(client)) return await inTime(this.#options.commandOf(client)(key, args))
    } catch (error) {
      // An error reply shows that the connection works.
      if (!isReply(error)) this.#giveUp(own)
      throw error
    } finally {
      own.unreplied--
      this.#closeIfDone(own)
    }
    this.#giveUp(own)
    return this.#byOwn(create, key, args)
  }

  // Commands in flight still get their replies.
  #retire(own: Own<C>): void {
    this.#own = undefined
    own.isRetired = true
    this.#closeIfDone(own)
  }

  #closeIfDone(own: Own<C>): void {
    if (own.isRetired && own.unreplied === 0) this.#giveUp(own)
  }

  #giveUp(own: Own<C>): void {
    if (own === this.#own) this.#own = undefined
    own.client.then(discard, () => undefined)
  }
}

async function connected<C extends object>(create: Create<C>): Promise<C> {
  const client = await create()
  mute(client)
  try {
    await inTime(connect(client))
    return client
  } catch (error) {
    discard(client)
    throw error
  }
}

function isReply(error: unknown): boolean {
  const name = (error as { readonly name?: unknown } | null)?.name
  const constructed = (error as object | null)?.constructor?.name
  return name === 'ReplyError' || constructed === 'ErrorReply' || constructed === 'SimpleError'
}

function inTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => {
      const error = new Error(`redis did not respond within ${SILENCE_MS} ms`)
      reject(withReason(error, 'timeout'))
    }
    // After a pause of the whole process, the response is already in the socket and is read first.
    const timer = setTimeout(() => setImmediate(late), SILENCE_MS)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
