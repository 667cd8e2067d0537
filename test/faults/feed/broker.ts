/**
 * The operations of a fault on a broker.
 */
import type { SealedHead } from 'watchword/feed'
import type { OwnServer } from '../../support/own-server.js'
import type { Place } from './connect.js'

/** The server's process and its data. */
export type Server = Omit<OwnServer, 'url'>

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
