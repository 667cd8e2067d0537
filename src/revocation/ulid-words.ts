/**
 * A ULID as four 32-bit words: what the index compares and an event carries, a third of the size of the text.
 *
 * 26 characters of Crockford's base32 hold 130 bits; a ULID has 128, so the first character is at most 7.
 *
 * @see https://github.com/ulid/spec
 * @module
 */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 26
const INVALID = 0x80

const DIGITS = new Uint8Array(128).fill(INVALID)
for (let value = 0; value < ALPHABET.length; value++) DIGITS[ALPHABET.charCodeAt(value)] = value

const digits = new Uint8Array(LENGTH)
const digit = (at: number): number => digits[at] as number

/** Reads a canonical, upper-case ULID into the first four words of `into`; answers whether it is one. */
export function readUlid(text: string, into: Int32Array): boolean {
  if (text.length !== LENGTH) return false
  // One look at all bits that were ever set tells whether each character is one of the alphabet.
  let codes = 0
  let values = 0
  for (let i = 0; i < LENGTH; i++) {
    const code = text.charCodeAt(i)
    const value = DIGITS[code & 0x7f] as number
    codes |= code
    values |= value
    digits[i] = value
  }
  if (codes > 0x7f || values >= INVALID || digit(0) > 7) return false
  into[0] = (digit(0) << 29) | (joined(1) << 4) | (digit(6) >>> 1)
  into[1] = (digit(6) << 31) | (joined(7) << 6) | (digit(12) << 1) | (digit(13) >>> 4)
  into[2] = (digit(13) << 28) | (joined(14) << 3) | (digit(19) >>> 2)
  into[3] = (digit(19) << 30) | (joined(20) << 5) | digit(25)
  return true
}

// The 25 bits of five characters.
function joined(at: number): number {
  return (
    (digit(at) << 20) |
    (digit(at + 1) << 15) |
    (digit(at + 2) << 10) |
    (digit(at + 3) << 5) |
    digit(at + 4)
  )
}

/** Writes the four words from `at` on as a ULID. */
export function writeUlid(words: Int32Array, at = 0): string {
  const [a, b, c, d] = words.subarray(at, at + 4) as unknown as [number, number, number, number]
  return (
    (ALPHABET[a >>> 29] as string) +
    spelt(a >>> 4) +
    ALPHABET[((a & 15) << 1) | (b >>> 31)] +
    spelt(b >>> 6) +
    ALPHABET[(b >>> 1) & 31] +
    ALPHABET[((b & 1) << 4) | (c >>> 28)] +
    spelt(c >>> 3) +
    ALPHABET[((c & 7) << 2) | (d >>> 30)] +
    spelt(d >>> 5) +
    ALPHABET[d & 31]
  )
}

// The low 25 bits as five characters.
function spelt(bits: number): string {
  return (
    (ALPHABET[(bits >>> 20) & 31] as string) +
    ALPHABET[(bits >>> 15) & 31] +
    ALPHABET[(bits >>> 10) & 31] +
    ALPHABET[(bits >>> 5) & 31] +
    ALPHABET[bits & 31]
  )
}

/** The time that a ULID carries, in Unix milliseconds: its first 48 bits. */
export function timeOfWords(words: Int32Array): number {
  const [high, low] = words as unknown as [number, number]
  return (high >>> 0) * 0x1_0000 + (low >>> 16)
}
