/**
 * A ULID as four 32-bit words, as used by the index and in events: a third of the size of the text.
 *
 * 26 characters of Crockford's base32 hold 130 bits; a ULID has 128, so the first character is at most 7.
 *
 * @see https://github.com/ulid/spec
 * @module
 */
import { codeAt } from '../../lib/char-code.js'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 26

// For characters that are not digits, all bits are ones, so any combination with one is negative.
const DIGITS = new Int8Array(128).fill(-1)
for (let value = 0; value < ALPHABET.length; value++) DIGITS[codeAt(ALPHABET, value)] = value

// Each has 25 bits from five digits. Shared: never read after a return, and no foreign code runs in between.
const groups = new Int32Array(5)

/** Decodes a canonical, upper-case ULID into the first four words of `into`; returns whether it is one. */
export function readUlid(text: string, into: Int32Array): boolean {
  if (text.length !== LENGTH) return false
  const first = digit(text, 0)
  let all = first
  // A loop instead of 26 calls: only a few are inlined by the compiler.
  for (let group = 0, at = 1; group < 5; group++) {
    let bits = 0
    for (const end = at + 5; at < end; at++) {
      const value = digit(text, at)
      all |= value
      bits = (bits << 5) | value
    }
    groups[group] = bits
  }
  if (all < 0 || first > 7) return false
  const a = groups[0] as number
  const b = groups[1] as number
  const c = groups[2] as number
  const d = groups[3] as number
  const e = groups[4] as number
  into[0] = (first << 29) | (a << 4) | (b >>> 21)
  into[1] = (b << 11) | (c >>> 14)
  into[2] = (c << 18) | (d >>> 7)
  into[3] = (d << 25) | e
  return true
}

function digit(text: string, at: number): number {
  const code = codeAt(text, at)
  return code < DIGITS.length ? (DIGITS[code] as number) : -1
}

// Shared for the same reason: it becomes a string before the return.
const text = Buffer.alloc(LENGTH)

/** Encodes the first four words as a ULID. */
export function writeUlid(words: Int32Array): string {
  const a = words[0] as number
  const b = words[1] as number
  const c = words[2] as number
  const d = words[3] as number
  text[0] = codeAt(ALPHABET, a >>> 29)
  spell(a >>> 4, 1)
  spell((a << 21) | (b >>> 11), 6)
  spell((b << 14) | (c >>> 18), 11)
  spell((c << 7) | (d >>> 25), 16)
  spell(d, 21)
  return text.toString('latin1')
}

// Encodes the low 25 bits as five characters.
function spell(bits: number, at: number): void {
  for (let i = 0; i < 5; i++) text[at + i] = ALPHABET.charCodeAt((bits >>> (20 - 5 * i)) & 31)
}

/** The time that a ULID carries, in Unix milliseconds: its first 48 bits. */
export function timeOfWords(words: Int32Array): number {
  return ((words[0] as number) >>> 0) * 0x1_0000 + ((words[1] as number) >>> 16)
}
