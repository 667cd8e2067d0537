/**
 * RFC 3339 times of PASETO claims, as Unix milliseconds.
 *
 * `Date.parse` is not used, because it accepts nonexistent days, times without a date, and more.
 *
 * @module
 */
import { codeAt } from '../lib/char-code.js'

// PASETO's 04-Claims requires upper case T and Z; RFC 3339 also allows an offset. Digits after the millisecond are
// truncated.
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,40}))?(?:Z|([+-])(\d\d):(\d\d))$/

const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const
const DAY_MS = 86_400_000

/** Parses an RFC 3339 time. Returns Unix milliseconds, or `undefined` for anything else. */
export function parseTime(text: unknown): number | undefined {
  if (typeof text !== 'string' || text.length > 80) return undefined
  return parseCanonical(text) ?? parseAny(text)
}

/** Formats Unix milliseconds as RFC 3339 in UTC with three fractional digits. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString()
}

// The library's own form, `2026-11-23T17:36:21.123Z`: parsed by position, because every uncached verification reads two
// or three.
function parseCanonical(text: string): number | undefined {
  if (text.length !== 24 || codeAt(text, 23) !== 0x5a || codeAt(text, 19) !== 0x2e) return undefined
  if (codeAt(text, 10) !== 0x54 || codeAt(text, 13) !== 0x3a || codeAt(text, 16) !== 0x3a)
    return undefined
  if (codeAt(text, 4) !== 0x2d || codeAt(text, 7) !== 0x2d) return undefined
  const year = two(text, 0) * 100 + two(text, 2)
  const hour = two(text, 11)
  const minute = two(text, 14)
  const second = two(text, 17)
  const ms = two(text, 20) * 10 + digit(text, 22)
  return timeOfParts(year, two(text, 5), two(text, 8), hour, minute, second, ms)
}

// The value of a digit, or NaN, which propagates through sums.
function digit(text: string, at: number): number {
  const value = codeAt(text, at) - 48
  return value >= 0 && value <= 9 ? value : Number.NaN
}

function two(text: string, at: number): number {
  return digit(text, at) * 10 + digit(text, at + 1)
}

/** Unix milliseconds of a time in UTC; `undefined` for a nonexistent date or time, or if any part is `NaN`. */
export function timeOfParts(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  ms: number,
): number | undefined {
  return combine(year, month, day, timeOfDay(hour, minute, second) + ms)
}

function timeOfDay(hour: number, minute: number, second: number): number {
  // A leap second (:60) has no Unix millisecond and is rejected, as is 24:00:00.
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return Number.NaN
  return ((hour * 60 + minute) * 60 + second) * 1000
}

function combine(year: number, month: number, day: number, msOfDay: number): number | undefined {
  const days = daysSinceEpoch(year, month, day)
  const ms = days * DAY_MS + msOfDay
  return Number.isSafeInteger(ms) ? ms : undefined
}

// Days from 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March.
function daysSinceEpoch(year: number, month: number, day: number): number {
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= (DAYS_IN_MONTH[month - 1] as number)))
    return Number.NaN
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  if (month === 2 && day === 29 && !leap) return Number.NaN
  const y = month <= 2 ? year - 1 : year
  const m = month <= 2 ? month + 9 : month - 3
  const dayOfYear = Math.floor((153 * m + 2) / 5) + day - 1
  return (
    y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468
  )
}

function parseAny(text: string): number | undefined {
  const match = RFC3339.exec(text)
  if (match === null) return undefined
  const at = (group: number) => Number(match[group])
  const fraction = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'))
  const utc = combine(at(1), at(2), at(3), timeOfDay(at(4), at(5), at(6)) + fraction)
  if (utc === undefined || match[8] === undefined) return utc
  if (at(9) > 23 || at(10) > 59) return undefined
  const offset = (at(9) * 60 + at(10)) * 60_000
  return match[8] === '+' ? utc - offset : utc + offset
}
