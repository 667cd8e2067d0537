/**
 * Strict JSON for tokens: limited in depth and keys before parsing, without duplicate keys, and well-formed.
 *
 * @module
 */
import { codeAt } from '../lib/char-code.js'

/** Limits on a JSON text. */
export interface JsonLimits {
  readonly maxDepth: number
  readonly maxKeys: number
}

/** Depth and key limits of a payload. */
export const PAYLOAD_LIMITS: JsonLimits = { maxDepth: 16, maxKeys: 64 }

/**
 * Parses a JSON object. Returns `undefined` for anything else: another type, an exceeded limit, a duplicate key in one
 * object (also if escaped differently), a key `__proto__`, a number that is not exact, a lone surrogate, or invalid
 * JSON.
 */
export function parseJsonObject(
  text: string,
  limits: JsonLimits,
): Readonly<Record<string, unknown>> | undefined {
  // White space around the object would allow a second encoding.
  if (codeAt(text, 0) !== 0x7b || codeAt(text, text.length - 1) !== 0x7d) return undefined
  const keys = countKeys(text, limits)
  if (keys < 0) return undefined
  const value = tryParse(text)
  if (value === undefined || countSoundKeys(value) !== keys) return undefined
  // Only an escape can produce a lone surrogate: the UTF-8 decoder rejects raw ones.
  if (text.includes('\\u') && !isWellFormed(value)) return undefined
  return value as Readonly<Record<string, unknown>>
}

function tryParse(text: string): object | undefined {
  try {
    return JSON.parse(text) as object
  } catch {
    return undefined
  }
}

// Counts the colons outside of strings, which equals the number of written keys. Returns -1 if a limit is exceeded. One
// pass without recursion or allocation, because the text is still untrusted.
function countKeys(text: string, { maxDepth, maxKeys }: JsonLimits): number {
  let depth = 0
  let keys = 0
  for (let i = 0; i < text.length; i++) {
    const code = codeAt(text, i)
    if (code === 0x22) {
      i = endOfString(text, i)
      if (i < 0) return -1
    } else if (code === 0x3a) {
      if (++keys > maxKeys) return -1
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) return -1
    } else if (code === 0x7d || code === 0x5d) {
      depth--
    }
  }
  return keys
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (codeAt(text, end - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
  }
  return -1
}

// Counts the parsed keys; fewer than written if one was duplicated. NaN, which equals no count, for an invalid value.
function countSoundKeys(value: unknown): number {
  if (typeof value === 'number') return isExact(value) ? 0 : Number.NaN
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countSoundKeys(item)
    return count
  }
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return Number.NaN
    const item = (value as Record<string, unknown>)[key]
    count += typeof item === 'string' ? 1 : 1 + countSoundKeys(item)
  }
  return count
}

// Beyond 2^53 two different numbers may parse to the same value, and `1e400` parses to infinity.
function isExact(value: number): boolean {
  return Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value))
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item))
}
