/**
 * Encodes revocation events.
 *
 * @module
 */
import { invalidArgument } from '../../lib/invalid.js'
import {
  type FamilyEntry,
  type FeedEntry,
  isFamilyEntry,
  isNodeEntry,
  NODE_KINDS,
  type NodeEntry,
  type RestrictedEntry,
  type TokenEntry,
  type WatermarkEntry,
} from '../index/entries.js'
import { readUlid } from '../index/ulid-codec.js'
import {
  COUNT_BYTES,
  GENERATION_BYTES,
  ID_BYTES,
  isNodeName,
  LOOSE,
  MAX_ENTRIES,
  MAX_GENERATION,
  MAX_NAME_LENGTH,
  MAX_REVISION,
  MAX_STATE_BYTES,
  MAX_TEXT_BYTES,
  MAX_TIME,
  NODE,
  RESTRICTED,
  RESTRICTED_DESCENT,
  RESTRICTION_KINDS,
  ROTATED,
  ROTATED_FROM,
  SUCCESSORS,
  TIME_BYTES,
  TOKEN,
  TOKEN_BYTES,
  WATERMARK,
  WATERMARK_KINDS,
} from './event-layout.js'

/** The encoded size of an entry in bytes. */
function sizeOf(entry: FeedEntry): number {
  if (entry.kind === 'token') return TOKEN_BYTES
  if (isFamilyEntry(entry))
    return TOKEN_BYTES + GENERATION_BYTES + (hasFrom(entry) ? TIME_BYTES : 0)
  if (entry.kind === 'restricted') return sizeOfRestricted(entry)
  return 3 + Buffer.byteLength(entry.value) + (isNodeEntry(entry) ? 1 : 2) * TIME_BYTES
}

function sizeOfRestricted({ value, state, descent }: RestrictedEntry): number {
  const texts = 5 + Buffer.byteLength(value) + Buffer.byteLength(state)
  return texts + 2 * TIME_BYTES + (descent === null ? 0 : ID_BYTES + GENERATION_BYTES)
}

const hasFrom = (entry: FamilyEntry): boolean => entry.kind === 'rotated' && entry.from !== null

/**
 * Encodes entries as one event.
 *
 * @param entries - At most {@link MAX_ENTRIES}.
 * @throws `ERR_INVALID_ARGUMENT` for an entry that cannot be encoded.
 */
export function encodeEntries(entries: readonly FeedEntry[]): Uint8Array {
  if (entries.length > MAX_ENTRIES)
    throw invalidArgument('entries', `expected at most ${MAX_ENTRIES}`)
  const size = entries.reduce((sum, entry) => sum + sizeOf(entry), COUNT_BYTES)
  const bytes = new Uint8Array(size)
  const buffer = Buffer.from(bytes.buffer)
  let at = buffer.writeUInt16BE(entries.length)
  for (const entry of entries) at = writeEntry(buffer, at, entry)
  return bytes
}

/** Whether an entry can be written into an event. */
export function isWritable(entry: FeedEntry): boolean {
  try {
    encodeEntries([entry])
    return true
  } catch {
    return false
  }
}

function writeEntry(buffer: Buffer, at: number, entry: FeedEntry): number {
  if (entry.kind === 'token') return writeId(buffer, at, entry.loose ? LOOSE : TOKEN, entry)
  if (entry.kind === 'restricted') return writeRestricted(buffer, at, entry)
  return isFamilyEntry(entry) ? writeFamily(buffer, at, entry) : writeNamed(buffer, at, entry)
}

// Overwritten by each id.
const id = new Int32Array(4)

function writeId(
  buffer: Buffer,
  start: number,
  tag: number,
  { value, expiresAt }: TokenEntry | FamilyEntry,
): number {
  const at = writeWords(buffer, buffer.writeUInt8(tag, start), 'value', value)
  return writeTime(buffer, at, 'expiresAt', expiresAt)
}

function writeWords(buffer: Buffer, start: number, field: string, ulid: string): number {
  if (!readUlid(ulid, id)) throw invalidArgument(field, 'expected a ULID')
  let at = start
  for (const word of id) at = buffer.writeInt32BE(word, at)
  return at
}

function writeFamily(buffer: Buffer, start: number, entry: FamilyEntry): number {
  const { generation } = entry
  const from = entry.kind === 'rotated' ? entry.from : null
  const rotated = from === null ? ROTATED : ROTATED_FROM
  const tag = entry.kind === 'successors' ? SUCCESSORS : rotated
  const at = writeGeneration(buffer, writeId(buffer, start, tag, entry), generation)
  return from === null ? at : writeTime(buffer, at, 'from', from)
}

function writeGeneration(buffer: Buffer, at: number, generation: number): number {
  if (Number.isInteger(generation) && generation >= 0 && generation <= MAX_GENERATION)
    return buffer.writeUInt32BE(generation, at)
  throw invalidArgument('generation', 'expected a whole number from 0 to 2^32 - 1')
}

function writeRestricted(buffer: Buffer, start: number, entry: RestrictedEntry): number {
  const { target, value, descent, revision, state, expiresAt } = entry
  if (!Number.isInteger(revision) || revision < 1 || revision > MAX_REVISION)
    throw invalidArgument('revision', 'expected a whole number from 1 to 2^48 - 1')
  const base = descent === null ? RESTRICTED : RESTRICTED_DESCENT
  let at = writeText(buffer, start, base + RESTRICTION_KINDS.indexOf(target), value)
  if (descent !== null) {
    at = writeWords(buffer, at, 'family', descent.family)
    at = writeGeneration(buffer, at, descent.generation)
  }
  at = buffer.writeUIntBE(revision, at, TIME_BYTES)
  return writeLong(buffer, writeTime(buffer, at, 'expiresAt', expiresAt), state, MAX_STATE_BYTES)
}

function writeNamed(buffer: Buffer, start: number, entry: WatermarkEntry | NodeEntry): number {
  if (isNodeEntry(entry)) {
    const { kind, value, until } = entry
    if (!isNodeName(value))
      throw invalidArgument('value', `expected 1 to ${MAX_NAME_LENGTH} characters`)
    const at = writeText(buffer, start, NODE + NODE_KINDS.indexOf(kind), value)
    return writeTime(buffer, at, 'until', until)
  }
  const { kind, value, before, expiresAt } = entry
  const at = writeText(buffer, start, WATERMARK + WATERMARK_KINDS.indexOf(kind), value)
  return writeTime(buffer, writeTime(buffer, at, 'before', before), 'expiresAt', expiresAt)
}

function writeText(buffer: Buffer, start: number, tag: number, text: string): number {
  return writeLong(buffer, buffer.writeUInt8(tag, start), text, MAX_TEXT_BYTES)
}

function writeLong(buffer: Buffer, start: number, text: string, maxBytes: number): number {
  const length = Buffer.byteLength(text)
  // A lone surrogate would be encoded as another character and name a different target.
  if (length > maxBytes || !text.isWellFormed()) {
    throw invalidArgument('value', `expected well-formed text of at most ${maxBytes} bytes`)
  }
  const at = buffer.writeUInt16BE(length, start)
  return at + buffer.write(text, at)
}

function writeTime(buffer: Buffer, at: number, field: string, time: number): number {
  if (Number.isInteger(time) && time >= 0 && time <= MAX_TIME) {
    return buffer.writeUIntBE(time, at, TIME_BYTES)
  }
  throw invalidArgument(field, 'expected a whole number from 0 to 2^48 - 1')
}

/**
 * Groups entries into events in order, each with at most {@link MAX_ENTRIES} entries and at most `maxBytes` when
 * encoded.
 *
 * @param maxBytes - At least the size of the largest entry, about 21 KiB.
 */
export function* groupEntries<E extends FeedEntry>(
  entries: Iterable<E>,
  maxBytes: number,
): Generator<E[], void> {
  let group: E[] = []
  let size = COUNT_BYTES
  for (const entry of entries) {
    const more = sizeOf(entry)
    if (group.length === MAX_ENTRIES || (size + more > maxBytes && group.length > 0)) {
      yield group
      group = []
      size = COUNT_BYTES
    }
    group.push(entry)
    size += more
  }
  if (group.length > 0) yield group
}
