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
  /** `SIGSTOP`: the process exists but does not reply. */
  freeze(): void
  /** `SIGCONT`. */
  thaw(): void
  /** Replaces the data of a killed server by its initial data. */
  wipe(): void
  /** Saves a copy of the data of a killed server. */
  backUp(): void
  /** Replaces the data of a killed server by the saved copy. */
  restore(): void
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

/** A separate server for the test, with the operations of an attacker. They bypass every proxy. */
export interface Broker {
  readonly kind: Place['kind']
  readonly server: Server
  /** Creates what a log needs before the first node starts. */
  prepare(log: string): Promise<void>
  /** Removes the log, as an operator does to start with an empty one. */
  drop(log: string): Promise<void>
  /** Ends every push channel. Returns how many there were. */
  cutPushes(): Promise<number>
  /** The number of connections, or of consumers if connections cannot be counted. */
  clients(): Promise<number>
  /** Removes events shortly before the end of the log, without changing the head. */
  punch(log: string, head: SealedHead): Promise<void>
  /** Closes its own connection. */
  end(): Promise<void>
}
