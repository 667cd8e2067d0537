/**
 * The fingerprint of a token: the key of its cache entry, so the cache contains no token text.
 *
 * SipHash-2-4 with 128 bits of output, with a random key that is generated when the process starts and never leaves
 * libsodium's heap. It is a pseudo-random function: without the key an attacker cannot search for collisions, and the
 * probability that any of a billion tokens collide is 2^-69. It takes a third of the time of SHA-256 (bench/README).
 *
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { aligned, libsodium, reserve, type Sodium } from './sodium.js'

/** The maximum length of text for {@link fingerprint}, in characters. */
const MAX_FINGERPRINT_LENGTH = 65_536

const OUT = 0
const KEY = 16
const INPUT = 64

let base = 0
let input = new Uint8Array(0)
let out = new Int32Array(0)
const encoder = new TextEncoder()

/**
 * The four 32-bit words of the last fingerprint, shared by all authorities: a nested call overwrites them. Copy them
 * before any code of the caller can run.
 */
export const words: [number, number, number, number] = [0, 0, 0, 0]

/**
 * Computes the fingerprint of a text and stores it in {@link words}.
 *
 * @param text - At most {@link MAX_FINGERPRINT_LENGTH} characters.
 * @returns Whether the text is ASCII, like every token. If not, there is no fingerprint.
 */
export function fingerprint(text: string): boolean {
  const library = libsodium()
  // Growing the heap detaches its memory, which invalidates the views.
  if (input.length === 0) prepare(library)
  // Non-ASCII text has more bytes than characters, so it cannot be mistaken for its truncated form.
  const { written } = encoder.encodeInto(text, input)
  const ascii = written === text.length
  if (ascii) library.sipHash(base + OUT, base + INPUT, written, 0, base + KEY)
  // Wiped, because the copy of the token would otherwise be in every core dump.
  input.fill(0, 0, written)
  if (!ascii) return false
  words[0] = out[0] as number
  words[1] = out[1] as number
  words[2] = out[2] as number
  words[3] = out[3] as number
  return true
}

function prepare(library: Sodium): void {
  if (base === 0) {
    base = aligned(reserve(INPUT + MAX_FINGERPRINT_LENGTH))
    randomFillSync(library.heap, base + KEY, 16)
  }
  input = library.heap.subarray(base + INPUT, base + INPUT + MAX_FINGERPRINT_LENGTH)
  out = new Int32Array(library.heap.buffer, base + OUT, 4)
}
