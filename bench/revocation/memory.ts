/**
 * Millions of revoked tokens: the memory that they take, and the time of one look-up.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import {
  NOT_REVOKED,
  REVOKED,
  RevocationIndex,
  type TokenFacts,
} from '../../src/revocation/index/revocation-index.js'
import { writeUlid } from '../../src/revocation/index/ulid-codec.js'
import { demand } from '../expect.js'
import { HOUR, ISSUED, nextId, numbers } from './ids.js'

/** What {@link memory} found. */
export interface MemoryFigures {
  readonly tokens: number
  /** Heap and memory outside it, after a collection, less before. */
  readonly bytesPerToken: number
  /** What the index itself says. */
  readonly estimatePerToken: number
  /** One look-up of a token that is revoked, and of one that is not. */
  readonly hitNs: number
  readonly missNs: number
  /** One read from a random place in an array of that size: what the machine's memory alone takes. */
  readonly readNs: number
}

const SAMPLE = 200_000
const ROUNDS = 15
const AT_HAND = 200

/**
 * Revokes tokens and looks for some of them.
 *
 * @param hours - Over how many hours their expiries are spread.
 */
export async function memory(tokens = 5_000_000, hours = 24): Promise<MemoryFigures> {
  const before = await bytesInUse()
  const index = new RevocationIndex()
  fill(index, tokens, hours)
  const bytes = (await bytesInUse()) - before
  demand('memory', index.size === tokens)
  const hits = sample(1, tokens, hours)
  const misses = sample(2, tokens, hours)
  const hitNs = lookUp(index, hits, REVOKED)
  const missNs = lookUp(index, misses, NOT_REVOKED)
  return {
    tokens,
    bytesPerToken: bytes / tokens,
    estimatePerToken: index.bytes / tokens,
    hitNs,
    missNs,
    readNs: read(index.bytes / Int32Array.BYTES_PER_ELEMENT),
  }
}

const READS = 1_000_000

/** Nanoseconds of one read, each from a place that the one before it has to tell. */
function read(words: number): number {
  const array = new Int32Array(words)
  const next = numbers(6)
  // Random, and even, so that they add nothing to the place but have to be waited for.
  for (let i = 0; i < array.length; i++) array[i] = next() & ~1
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let at = 0
    for (let i = 0; i < READS; i++) at = (next() + ((array[at] as number) & 1)) % array.length
    rounds.push(((performance.now() - start) * 1e6) / READS)
    demand('read', at < array.length)
  }
  return Math.min(...rounds)
}

const expiryOf = (i: number, hours: number): number => ISSUED + (i % hours) * HOUR

function fill(index: RevocationIndex, tokens: number, hours: number): void {
  const next = numbers(1)
  const id = new Int32Array(4)
  for (let i = 0; i < tokens; i++) {
    nextId(next, id)
    index.applyWords(id, expiryOf(i, hours))
  }
}

/** A few of the tokens that a seed makes, spread over all of them. */
function sample(seed: number, tokens: number, hours: number): TokenFacts[] {
  const next = numbers(seed)
  const id = new Int32Array(4)
  const stride = Math.max(1, Math.floor(tokens / SAMPLE))
  const found: TokenFacts[] = []
  for (let i = 0; i < tokens; i++) {
    nextId(next, id)
    if (i % stride > 0) continue
    const ulid = writeUlid(id)
    found.push({
      id: ulid,
      family: ulid,
      generation: 0,
      subject: 'svc_mail',
      audience: 'orders-api',
      keyId: 'k4.lid.bench',
      issuedAt: ISSUED,
      expiresAt: expiryOf(i, hours),
    })
  }
  return found
}

/**
 * Nanoseconds of one look-up, in random order. A few tokens at a time are touched first, since a token that is looked
 * for is one that was verified a moment ago; where the index has it is not.
 */
function lookUp(index: RevocationIndex, tokens: readonly TokenFacts[], expected: number): number {
  const next = numbers(3)
  const order = Array.from(tokens, () => tokens[next() % tokens.length] as TokenFacts)
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    let met = 0
    let elapsed = 0
    for (let i = 0; i < order.length; i += AT_HAND) {
      const batch = order.slice(i, i + AT_HAND)
      for (const { id, expiresAt } of batch) if (id.charCodeAt(0) + expiresAt > 0) met++
      const start = performance.now()
      for (const token of batch) if (index.deadline(token) === expected) met++
      elapsed += performance.now() - start
    }
    demand('look-up', met === 2 * order.length)
    rounds.push((elapsed * 1e6) / order.length)
  }
  // Other load on the machine only adds to it.
  return Math.min(...rounds)
}

async function bytesInUse(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc')
  // Arrays are let go of between turns of the loop, in more than one step.
  for (let i = 0; i < 4; i++) {
    globalThis.gc()
    await setTimeout(10)
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  // The memory of arrays counts as external already; were it not so, it would show here.
  return heapUsed + Math.max(external, arrayBuffers)
}
