/**
 * Encodes and decodes revocation events.
 *
 * ```
 * event      count (2), entries
 * token      tag (1)  id (16)  expiresAt (6)
 * family     tag (1)  family (16)  expiresAt (6)  generation (4)  [from (6)]
 * watermark  tag (1)  length (2)  value as UTF-8  before (6)  expiresAt (6)
 * node       tag (1)  length (2)  name as UTF-8  until (6)
 * ```
 *
 * All numbers are big-endian and all times are Unix milliseconds. Each entry has exactly one encoding, so decoding and
 * re-encoding gives the same bytes.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import {
  type EntrySink,
  type FamilyEntry,
  type FeedEntry,
  isFamilyEntry,
  isNodeEntry,
  NODE_KINDS,
  type NodeEntry,
  type RevocationEntry,
  type TokenEntry,
  type WatermarkEntry,
} from '../index/entries.js'
import { readUlid, writeUlid } from '../index/ulid-codec.js'
import { ByteReader } from './byte-reader.js'

export type {
  FamilyEntry,
  FeedEntry,
  NodeEntry,
  RevocationEntry,
  RotatedEntry,
  SuccessorsEntry,
  TokenEntry,
  WatermarkEntry,
} from '../index/entries.js'
export { expiryOf } from '../index/entries.js'

/** The maximum number of entries in one event. */
export const MAX_ENTRIES = 1000

const MAX_TEXT_BYTES = 4096
// A node's instance id and its name.
const MAX_NAME_LENGTH = 22 + 256
/** The latest time that an event can carry. */
export const MAX_TIME = 2 ** 48 - 1

// The tags of entries about ids. Other tags are the index in the list above a base.
const TOKEN = 0
const LOOSE = 2
const ROTATED = 4
const ROTATED_FROM = 5
const SUCCESSORS = 6
const WATERMARK = 0x10
const NODE = 0x20
const WATERMARK_KINDS = ['family', 'subject', 'key', 'audience', 'all'] as const

const COUNT_BYTES = 2
const TOKEN_BYTES = 23
const GENERATION_BYTES = 4
const TIME_BYTES = 6
const MAX_GENERATION = 2 ** 32 - 1

/** The encoded size of an entry in bytes. */
function sizeOf(entry: FeedEntry): number {
  if (entry.kind === 'token') return TOKEN_BYTES
  if (isFamilyEntry(entry))
    return TOKEN_BYTES + GENERATION_BYTES + (hasFrom(entry) ? TIME_BYTES : 0)
  return 3 + Buffer.byteLength(entry.value) + (isNodeEntry(entry) ? 1 : 2) * TIME_BYTES
}

const hasFrom = (entry: FamilyEntry): boolean => entry.kind === 'rotated' && entry.from !== null

/**
 * Encodes entries as one event.
 *
 * @param entries - At most {@link MAX_ENTRIES}.
 * @throws `ERR_INVALID_ARGUMENT` for an entry that cannot be encoded.
 */
export function encodeEntries(entries: readonly FeedEntry[]): Uint8Array {
  if (entries.length > MAX_ENTRIES) throw invalid(`entries: expected at most ${MAX_ENTRIES}`)
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
  return isFamilyEntry(entry) ? writeFamily(buffer, at, entry) : writeNamed(buffer, at, entry)
}

// Shared: a visitor copies or consumes the words before the next read. Visitors call no foreign code.
const id = new Int32Array(4)

function writeId(
  buffer: Buffer,
  start: number,
  tag: number,
  { value, expiresAt }: TokenEntry | FamilyEntry,
): number {
  if (!readUlid(value, id)) throw invalid('value: expected a ULID')
  let at = buffer.writeUInt8(tag, start)
  for (const word of id) at = buffer.writeInt32BE(word, at)
  return writeTime(buffer, at, 'expiresAt', expiresAt)
}

function writeFamily(buffer: Buffer, start: number, entry: FamilyEntry): number {
  const { generation } = entry
  if (!Number.isInteger(generation) || generation < 0 || generation > MAX_GENERATION)
    throw invalid('generation: expected a whole number from 0 to 2^32 - 1')
  const from = entry.kind === 'rotated' ? entry.from : null
  const rotated = from === null ? ROTATED : ROTATED_FROM
  const tag = entry.kind === 'successors' ? SUCCESSORS : rotated
  const at = buffer.writeUInt32BE(generation, writeId(buffer, start, tag, entry))
  return from === null ? at : writeTime(buffer, at, 'from', from)
}

function writeNamed(buffer: Buffer, start: number, entry: WatermarkEntry | NodeEntry): number {
  if (isNodeEntry(entry)) {
    const { kind, value, until } = entry
    if (!isNodeName(value)) throw invalid(`value: expected 1 to ${MAX_NAME_LENGTH} characters`)
    const at = writeText(buffer, start, NODE + NODE_KINDS.indexOf(kind), value)
    return writeTime(buffer, at, 'until', until)
  }
  const { kind, value, before, expiresAt } = entry
  const at = writeText(buffer, start, WATERMARK + WATERMARK_KINDS.indexOf(kind), value)
  return writeTime(buffer, writeTime(buffer, at, 'before', before), 'expiresAt', expiresAt)
}

export const isNodeName = (text: string): boolean =>
  text.length > 0 && text.length <= MAX_NAME_LENGTH

function writeText(buffer: Buffer, start: number, tag: number, text: string): number {
  const length = Buffer.byteLength(text)
  // A lone surrogate would be encoded as another character and name a different target.
  if (length > MAX_TEXT_BYTES || !text.isWellFormed()) {
    throw invalid(`value: expected well-formed text of at most ${MAX_TEXT_BYTES} bytes`)
  }
  const at = buffer.writeUInt16BE(length, buffer.writeUInt8(tag, start))
  return at + buffer.write(text, at)
}

function writeTime(buffer: Buffer, at: number, field: string, time: number): number {
  if (Number.isInteger(time) && time >= 0 && time <= MAX_TIME) {
    return buffer.writeUIntBE(time, at, TIME_BYTES)
  }
  throw invalid(`${field}: expected a whole number from 0 to 2^48 - 1`)
}

const invalid = (message: string) => new WatchwordError('ERR_INVALID_ARGUMENT', message)

/**
 * Groups entries into events in order, each with at most {@link MAX_ENTRIES} entries and at most `maxBytes` when
 * encoded.
 *
 * @param maxBytes - At least the size of the largest entry, about 4 KiB.
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

/** Decodes one event. Returns `undefined` for bytes that are not exactly one event. Never throws. */
export function decodeEntries(bytes: Uint8Array): readonly FeedEntry[] | undefined {
  const entries: FeedEntry[] = []
  const whole = readEach(new ByteReader(bytes), {
    token: (words, expiresAt) =>
      entries.push({ kind: 'token', value: writeUlid(words), expiresAt }),
    other: (entry) => entries.push(entry),
    node: (entry) => entries.push(entry),
  })
  return whole ? entries : undefined
}

/** Options of {@link applyEntries}. */
export interface ApplyOptions {
  readonly index: EntrySink
  /** Called with the entries that nodes publish about themselves. */
  readonly onNode?: (entry: NodeEntry) => void
}

/**
 * Applies an encoded event without allocating objects for its tokens. An invalid event is not applied at all.
 *
 * @returns How many entries did not fit into the index, or `undefined` for bytes that {@link decodeEntries} rejects.
 */
export function applyEntries(
  bytes: Uint8Array,
  { index, onNode }: ApplyOptions,
): { readonly refused: number } | undefined {
  const reader = new ByteReader(bytes)
  if (!readEach(reader, NOBODY)) return undefined
  let refused = 0
  reader.rewind()
  readEach(reader, {
    token: (words, expiresAt) => {
      if (!index.applyWords(words, expiresAt)) refused++
    },
    other: (entry) => {
      if (!index.apply(entry)) refused++
    },
    node: (entry) => onNode?.(entry),
  })
  return { refused }
}

/** Called with each entry of an event. The words of an id are overwritten by the next entry. */
interface Visitor {
  /** A token whose expiry is exact. */
  token(words: Int32Array, expiresAt: number): void
  other(entry: RevocationEntry): void
  node(entry: NodeEntry): void
}

const NOBODY: Visitor = { token() {}, other() {}, node() {} }

/** Calls the visitor with each entry up to the first fault. Returns whether there was no fault. */
function readEach(reader: ByteReader, visitor: Visitor): boolean {
  if (!reader.has(COUNT_BYTES)) return false
  const count = reader.uint16()
  if (count > MAX_ENTRIES) return false
  for (let i = 0; i < count; i++) {
    if (!reader.has(1)) return false
    const tag = reader.uint8()
    if (!(tag < WATERMARK ? readId(reader, tag, visitor) : readNamed(reader, tag, visitor)))
      return false
  }
  return reader.done
}

function readId(reader: ByteReader, tag: number, visitor: Visitor): boolean {
  const size = BYTES_OF_TAG.get(tag)
  if (size === undefined || !reader.has(size - 1)) return false
  reader.words(id)
  const expiresAt = reader.time()
  if (tag === TOKEN) visitor.token(id, expiresAt)
  else if (tag === LOOSE)
    visitor.other({ kind: 'token', value: writeUlid(id), expiresAt, loose: true })
  else visitor.other(readFamily(reader, tag, expiresAt))
  return true
}

const BYTES_OF_TAG: ReadonlyMap<number, number> = new Map([
  [TOKEN, TOKEN_BYTES],
  [LOOSE, TOKEN_BYTES],
  [ROTATED, TOKEN_BYTES + GENERATION_BYTES],
  [ROTATED_FROM, TOKEN_BYTES + GENERATION_BYTES + TIME_BYTES],
  [SUCCESSORS, TOKEN_BYTES + GENERATION_BYTES],
])

function readFamily(reader: ByteReader, tag: number, expiresAt: number): FamilyEntry {
  const value = writeUlid(id)
  const generation = reader.uint32()
  if (tag === SUCCESSORS) return { kind: 'successors', value, generation, expiresAt }
  const from = tag === ROTATED_FROM ? reader.time() : null
  return { kind: 'rotated', value, generation, from, expiresAt }
}

function readNamed(reader: ByteReader, tag: number, visitor: Visitor): boolean {
  const value = reader.text(MAX_TEXT_BYTES)
  if (value === undefined) return false
  const watermark = WATERMARK_KINDS[tag - WATERMARK]
  const node = NODE_KINDS[tag - NODE]
  if (watermark !== undefined && reader.has(2 * TIME_BYTES)) {
    const before = reader.time()
    visitor.other({ kind: watermark, value, before, expiresAt: reader.time() })
    return true
  }
  if (node === undefined || !isNodeName(value) || !reader.has(TIME_BYTES)) return false
  visitor.node({ kind: node, value, until: reader.time() })
  return true
}
