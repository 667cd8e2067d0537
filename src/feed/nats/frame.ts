/**
 * The encoding of a message of the log: a sealed head and the events appended with it, if any.
 *
 * @module
 */
import type { SealedEvent, SealedHead } from '../feed.js'

/**
 * Records that the head was moved back: in messages of the stream before `at`, events above `seq` are overwritten or
 * about to be. Each frame repeats the cuts of the frame before it, because a reader that starts in the middle of the
 * stream has not seen earlier frames.
 */
export interface Cut {
  readonly at: number
  readonly seq: number
}

/** One message: everything that one append or touch wrote. It exists as a whole or not at all. */
export interface Frame {
  readonly head: SealedHead
  /** The last one is the event of the head. */
  readonly events: readonly SealedEvent[]
  readonly cuts: readonly Cut[]
}

/** A frame and its sequence number in the stream. */
export interface Placed {
  readonly at: number
  readonly frame: Frame
}

// "wwf", and the version of the encoding.
const MAGIC = Uint8Array.of(0x77, 0x77, 0x66, 1)
const NUMBER = 8
const HEADER = MAGIC.length + 3 * NUMBER

/** Writes a frame: three numbers, then the texts and bytes of the head, the cuts and the events, each with its length. */
export function encodeFrame({ head, events, cuts }: Frame): Uint8Array {
  const pairs = Buffer.alloc(cuts.length * 2 * NUMBER)
  for (const [i, { at, seq }] of cuts.entries()) {
    pairs.writeDoubleBE(at, i * 2 * NUMBER)
    pairs.writeDoubleBE(seq, (i * 2 + 1) * NUMBER)
  }
  const fixed = [Buffer.from(head.epoch), head.link, head.bytes, pairs]
  const parts = [...fixed, ...events.map(({ bytes }) => bytes)]
  const length = parts.reduce((sum, part) => sum + 4 + part.length, HEADER)
  const out = Buffer.alloc(length)
  out.set(MAGIC)
  let at = MAGIC.length
  for (const number of [head.seq, head.floor, head.beaconAt]) at = out.writeDoubleBE(number, at)
  for (const part of parts) {
    at = out.writeUInt32BE(part.length, at)
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Reads a frame into a new buffer; `undefined` for invalid bytes. Only the core can check whether it is authentic. */
export function decodeFrame(message: Uint8Array): Frame | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length)
  if (bytes.length < HEADER || !MAGIC.every((byte, i) => bytes[i] === byte)) return undefined
  const [seq = 0, floor = 0, beaconAt = 0] = numbersOf(bytes.subarray(MAGIC.length, HEADER))
  const parts = partsOf(bytes.subarray(HEADER))
  const [epoch, link, seal, pairs, ...rest] = parts ?? []
  if (epoch === undefined || link === undefined || seal === undefined || pairs === undefined)
    return undefined
  const cuts = cutsOf(pairs)
  const first = seq - rest.length + 1
  if (![seq, floor, first, ...cuts.flatMap(({ at, seq }) => [at, seq])].every(isCount))
    return undefined
  if (!Number.isFinite(beaconAt)) return undefined
  return {
    head: { epoch: Buffer.from(epoch).toString(), seq, link, floor, beaconAt, bytes: seal },
    events: rest.map((event, i) => ({ seq: first + i, bytes: event })),
    cuts,
  }
}

/** Whether the message may be a frame in the encoding of a later version. */
export function isOfAnotherForm(message: Uint8Array): boolean {
  const version = MAGIC.length - 1
  return MAGIC.every((byte, i) => (i === version ? message[i] !== byte : message[i] === byte))
}

function numbersOf(bytes: Uint8Array): number[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const count = Math.floor(bytes.length / NUMBER)
  return Array.from({ length: count }, (_, i) => buffer.readDoubleBE(i * NUMBER))
}

function cutsOf(pairs: Uint8Array): Cut[] {
  const numbers = numbersOf(pairs)
  const count = Math.floor(numbers.length / 2)
  return Array.from({ length: count }, (_, i) => ({
    at: numbers[i * 2] as number,
    seq: numbers[i * 2 + 1] as number,
  }))
}

function partsOf(bytes: Buffer): Uint8Array[] | undefined {
  const parts: Uint8Array[] = []
  let at = 0
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) return undefined
    parts.push(new Uint8Array(bytes.subarray(at + 4, end)))
    at = end
  }
  return parts
}

// Far below the largest safe integer, so adding to it stays exact.
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value < 2 ** 52
}
