/**
 * What a bench needs of a place that keeps tokens: stores in it, and its client's own round trip.
 *
 * @module
 */
import type { Store } from '../../../src/store/store.js'

/** The tables or keys of each size. */
export const SHELVES = ['small', 'large'] as const

export type Shelf = (typeof SHELVES)[number]

/** One client library of a place, with stores over it. */
export interface Client {
  readonly name: string
  /** A new store over the tables or keys of a shelf: the same rows for every client of the place. */
  store(shelf: Shelf): Store
  /** One look-up by key with the bare client. Resolves with whether it found the expected row. */
  roundTrip(): Promise<boolean>
  /** One small write, committed as the server is set up to: what durability alone costs. */
  rawWrite(): Promise<boolean>
}

/** A database, and everything that the run created in it. */
export interface Place {
  readonly title: string
  readonly clients: readonly [Client, ...Client[]]
  /** Brings statistics to where a database that has been up for a few minutes has them by itself. */
  settle(): Promise<void>
  /** Removes everything that was made, and lets go of the clients. */
  drop(): Promise<void>
}

/** Opens a place with tables for each shelf, or logs why not and resolves with `undefined` when there is no server. */
export type Opener = () => Promise<Place | undefined>

/** What begins the names of the tables of each shelf. */
export const PREFIXES = { small: 'small_', large: 'large_' } as const satisfies Record<
  Shelf,
  string
>

/** Tries to clean up after something failed, and lets that error through rather than another. */
export async function orDrop<T>(drop: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await drop().catch(() => undefined)
    throw error
  }
}
