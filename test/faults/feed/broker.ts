/**
 * What a fault can do to a broker.
 */
import type { SealedHead } from 'watchword/feed'
import type { Place } from './connect.js'

/** The server's process and its data. */
export interface Server {
  readonly port: number
  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  /** `SIGSTOP`: it is there, and does not answer. */
  freeze(): void
  /** `SIGCONT`. */
  thaw(): void
  /** Replaces the data of a server that was killed by what it began with. */
  wipe(): void
  /** Keeps a copy of the data of a server that was killed. */
  backUp(): void
  /** Replaces the data of a server that was killed by the copy. */
  restore(): void
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

/** A server of the test's own, and what somebody with access to it can do; always past every proxy. */
export interface Broker {
  readonly kind: Place['kind']
  readonly server: Server
  /** Makes what a log needs before the first node comes. */
  prepare(log: string): Promise<void>
  /** Removes the log, as an operator would who starts from scratch. */
  drop(log: string): Promise<void>
  /** Ends every push channel. Answers how many there were. */
  cutPushes(): Promise<number>
  /** How many connections there are; where these cannot be counted, how many consumers. */
  clients(): Promise<number>
  /** Removes events that the log has, shortly before its end, without a word in the head. */
  punch(log: string, head: SealedHead): Promise<void>
  /** Lets go of its own connection. */
  end(): Promise<void>
}
