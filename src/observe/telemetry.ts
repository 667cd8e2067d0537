/**
 * The registry through which `instrument` reaches an authority.
 *
 * It is bound to the library's own `authenticate` function by identity, like the direct path of the guards.
 *
 * @module
 */
import { sharedTable } from '../lib/shared-table.js'
import type { Probe } from './probe.js'

/** The current values of an authority that metrics report. */
export interface Readings {
  readonly status: 'live' | 'stale' | 'closed'
  /** Infinite if freshness was never proved. */
  readonly freshnessMs: number
  readonly lag: number
  readonly incidents: Readonly<Record<string, number>>
  readonly cache: { readonly tokens: number }
  readonly connections: { readonly watched: number }
  readonly audit: { readonly status: 'kept' | 'not kept' | 'off'; readonly waiting: number }
  /** Look-ups in the cache of verified tokens since the authority was created. */
  readonly lookups: { readonly hits: number; readonly misses: number }
}

/** What telemetry uses of an authority. */
export interface Telemetry {
  /** The configured policies. */
  readonly policies: readonly string[]
  /** The configured audiences. */
  readonly audiences: readonly string[]
  readonly probe: Probe
  /** Whether the message of a tracing channel is of this authority. */
  owns(message: object): boolean
  readings(): Readings
  /** Counts the live tokens in the store. */
  countLive(): Promise<number>
  /** Stops the current instrumentation, if there is one. */
  stop: () => void
}

const table = sharedTable<Telemetry>('watchword.telemetry.2')

/** Registers the telemetry of the authority that has this `authenticate` function. */
export function registerTelemetry(authenticate: object, telemetry: Telemetry): void {
  table.set(authenticate, telemetry)
}

/** The telemetry of an authority, by its `authenticate` function. */
export function telemetryOf(authenticate: unknown): Telemetry | undefined {
  // A WeakMap returns `undefined` for every value that is not one of its keys, primitives included.
  return table.get(authenticate as object)
}
