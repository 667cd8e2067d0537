/**
 * Registers an authority for `instrument` of `watchword/otel`.
 *
 * @module
 */
import { registerTelemetry } from '../observe/telemetry.js'
import type { Parts } from './parts.js'
import type { Watchword } from './watchword.js'

/** Offers the counters and readings of an authority to telemetry. */
export function offerTelemetry({ authenticate, health, tokens }: Watchword, parts: Parts): void {
  const { options, probe, messages, cache } = parts
  registerTelemetry(authenticate, {
    policies: [...options.policies.keys()],
    audiences: options.audiences,
    probe,
    owns: (message) => messages.has(message),
    countLive: () => tokens.count({ live: true }),
    readings: () => ({ ...health(), lookups: cache.lookups }),
    stop: () => {},
  })
}
