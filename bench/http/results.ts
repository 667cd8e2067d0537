/**
 * What a run finds out, and what `results.json` holds.
 *
 * @module
 */
import type { Contender, Framework } from './kit.js'
import type { Tally } from './load.js'

/** One contender. */
export interface Line {
  readonly name: string
  readonly kind: Contender['kind']
  /** Requests a second: the median of the rounds. */
  readonly perSecond: number
  /** By the rate of the bare server: the median, over the rounds, of the ratio within each. */
  readonly toBare: number
  /** The median deviation of that ratio: a difference smaller than this is noise. */
  readonly toBareMad: number
  /** Microseconds on a processor for each request, in the process of the server: the median of the rounds. */
  readonly cpu: number
  /** How much of the time its event loop was busy, from 0 to 1: where much is left, the client was the slower one. */
  readonly busy: number
  /** Requests a second of each round, in order. */
  readonly rounds: readonly number[]
  /** How many responses came, within the measured time or outside it, each of which was as expected. */
  readonly answered: number
}

/** One framework. */
export interface FrameworkResult {
  readonly version: string
  readonly lines: readonly Line[]
  /** By peer: the rate of ours by its rate, the median over the rounds. */
  readonly toPeers: Readonly<Record<string, number>>
  /** A long run of ours with forged tokens mixed in. */
  readonly soak: Tally
}

export type Results = Readonly<Partial<Record<Framework, FrameworkResult>>>

/** What was to be reached. */
export interface Bar {
  readonly what: string
  readonly value: number
  readonly bar: number
  readonly better: 'more' | 'less'
  readonly met: boolean
}

/** How much of it. */
export interface Pace {
  readonly rounds: number
  /** The measured time of one contender in one round, in milliseconds. */
  readonly sliceMs: number
  /** Requests of the long run. */
  readonly soak: number
}
