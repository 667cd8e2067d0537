/**
 * Times and numbers as text, the same in every locale and time zone.
 *
 * @module
 */
import { DAY, HOUR } from '../lib/duration.js'
import type { Interval } from './types.js'

/** The UTC day: `2026-11-30`. */
export const date = (at: number): string => new Date(at).toISOString().slice(0, 10)

/** The UTC minute: `2026-11-30 14:05 UTC`. */
export const minute = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** An interval: `from … to …`. */
export const interval = ({ from, to }: Interval): string => `from ${minute(from)} to ${minute(to)}`

/** A length of time in days or, below two days, in hours. */
export function days(ms: number): string {
  if (ms >= 2 * DAY) return `${Math.round(ms / DAY)} days`
  const hours = Math.max(1, Math.round(ms / HOUR))
  return hours === 1 ? '1 hour' : `${hours} hours`
}

/** A whole number with separators: `12,345`. */
export const whole = (value: number): string =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(?:\d{3})+$)/g, ',')
