/**
 * Durations: a number of milliseconds, or text with a unit, such as `'15m'`.
 *
 * @module
 */

/** A whole number of milliseconds, or text such as `'250ms'`, `'5s'`, `'15m'`, `'12h'`, `'30d'`, `'2w'`. */
export type Duration = number | string

/** One second in milliseconds. */
export const SECOND = 1000
/** One minute in milliseconds. */
export const MINUTE = 60 * SECOND
/** One hour in milliseconds. */
export const HOUR = 60 * MINUTE
/** One day in milliseconds. */
export const DAY = 24 * HOUR
/** 365 days in milliseconds. */
export const YEAR = 365 * DAY

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
  d: DAY,
  w: 7 * DAY,
}

/** Ten years. Sums of such times stay far within the safe integer range. */
const MAX_DURATION_MS = 10 * YEAR

/**
 * Parses a duration. Returns milliseconds, or `undefined` for anything but a finite, whole, non-negative duration of at
 * most ten years.
 */
export function parseDuration(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? parseText(value) : value
  if (typeof ms !== 'number' || !Number.isSafeInteger(ms)) return undefined
  return ms >= 0 && ms <= MAX_DURATION_MS ? ms : undefined
}

function parseText(text: string): number | undefined {
  const match = /^(\d{1,15})(ms|s|m|h|d|w)$/.exec(text)
  if (match === null) return undefined
  return Number(match[1]) * (UNIT_MS[match[2] as string] as number)
}

/** Parses a share such as `'70%'` to a fraction between 0 and 1, exclusive. Returns `undefined` if it is invalid. */
export function parseShare(value: unknown): number | undefined {
  const match = typeof value === 'string' ? /^(\d{1,2})%$/.exec(value) : null
  if (match === null) return undefined
  const share = Number(match[1]) / 100
  return share > 0 ? share : undefined
}
