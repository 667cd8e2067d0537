/**
 * The operations of a fault on a broker.
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
  /** `SIGSTOP`: the process exists, and does not reply. */
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

/** A separate server for the test, with the operations of an attacker with access to it; always past every proxy. */
export interface Broker {
  readonly kind: Place['kind']
  readonly server: Server
  /** Creates what a log needs before the first node starts. */
  prepare(log: string): Promise<void>
  /** Removes the log, as an operator would who starts from scratch. */
  drop(log: string): Promise<void>
  /** Ends every push channel. Returns how many there were. */
  cutPushes(): Promise<number>
  /** How many connections there are; where these cannot be counted, how many consumers. */
  clients(): Promise<number>
  /** Removes events shortly before the end of the log, without changing the head. */
  punch(log: string, head: SealedHead): Promise<void>
  /** Closes its own connection. */
  end(): Promise<void>
}
