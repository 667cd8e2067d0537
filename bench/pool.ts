/**
 * Tokens as bytes, from which each call cuts a string of its own, as an HTTP server does with a header.
 *
 * A string that is used twice has its hash computed once and compares by address: a benchmark that does so times
 * neither, and makes a cache look ten times as fast as it is.
 *
 * @module
 */
import type { Contender } from './harness.js'

// What node:http reads header values with. It is left out of the published types.
type Latin1 = Buffer & { latin1Slice(start: number, end: number): string }

/** Packs tokens end to end, and returns a function that cuts the next one, in a cycle. */
export function cutter(tokens: readonly string[]): () => string {
  const bytes = Buffer.from(tokens.join(''), 'utf8') as Latin1
  const ends = Uint32Array.from(runningLengths(tokens))
  if (ends.at(-1) !== bytes.length) throw new RangeError('tokens are cut by bytes: ASCII only')
  const count = tokens.length
  let i = 0
  let start = 0
  return () => {
    const end = ends[i] as number
    const token = bytes.latin1Slice(start, end)
    i++
    start = end
    if (i === count) {
      i = 0
      start = 0
    }
    return token
  }
}

function* runningLengths(tokens: readonly string[]): Generator<number> {
  let total = 0
  for (const { length } of tokens) {
    total += length
    yield total
  }
}

/** Only cuts the strings: what everyone pays who reads tokens from a socket. */
export function cutting(tokens: readonly string[]): Contender {
  const next = cutter(tokens)
  return {
    name: 'cutting the string',
    kind: 'baseline',
    call: () => (next().length > 0 ? 1 : 0),
  }
}

/** The token with one character of its body changed: well-formed, and not authentic. */
export function tampered(token: string): string {
  const at = token.length >> 1
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}
