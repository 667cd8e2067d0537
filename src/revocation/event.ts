/**
 * What a revocation event says, and the bytes that say it.
 *
 * ```
 * event      count (2), entries
 * token      tag (1)  id (16)  expiresAt (6)  [from (6)]
 * watermark  tag (1)  length (2)  value as UTF-8  before (6)  expiresAt (6)
 * node       tag (1)  length (2)  name as UTF-8  until (6)
 * ```
 *
 * All numbers are big-endian, all times Unix milliseconds. There is one way to write any entry, so that reading and
 * writing again gives the same bytes.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { RevocationKind } from '../store/store.js'
import { ByteReader } from './byte-reader.js'
import { readUlid, writeUlid } from './ulid-words.js'

/** One token, dead at once, or from a time on because it was rotated. */
export interface TokenEntry {
  readonly kind: 'token'
  /** A ULID. */
  readonly value: string
  /** The token's own expiry: after it, the entry may be forgotten. */
  readonly expiresAt: number
  /** Dead from then on, by rotation; absent: revoked. */
  readonly from?: number
  /** Present when nobody had the token's record: `expiresAt` is then no more than an upper bound. */
  readonly loose?: true
}

/** Everything of one family, subject, key or audience, or all there is, issued at or before a time. */
export interface WatermarkEntry {
  readonly kind: Exclude<RevocationKind, 'token'>
  /** At most 4096 bytes of UTF-8; empty for `all`. */
  readonly value: string
  readonly before: number
  readonly expiresAt: number
}

/** What nodes tell each other by the log: that they are there, and how far they are. */
export interface NodeEntry {
  readonly kind: (typeof NODE_KINDS)[number]
  /** The node's name: 1 to 256 characters. */
  readonly value: string
  /**
   * Of a `join` and a `leave`: when. Of an `ack`: the `seq` that the node has applied. Of a `lease`: when it ends. Of a
   * `trim`: the lowest `seq` that stays. Of a `snapshot`: the `seq` that it holds. Of a `call`, which asks every node
   * for an `ack`: when.
   */
  readonly until: number
}

/** What a node holds in memory for as long as a token that it kills could live. */
export type RevocationEntry = TokenEntry | WatermarkEntry
/** What an event carries. */
export type FeedEntry = RevocationEntry | NodeEntry

/** The most entries that one event carries. */
export const MAX_ENTRIES = 1000

const MAX_TEXT_BYTES = 4096
const MAX_NAME_LENGTH = 256
const MAX_TIME = 2 ** 48 - 1

// The tag of a token is its flags; the others are the place in the list above a base.
const WITH_FROM = 1
const LOOSE = 2
const WATERMARK = 0x10
const NODE = 0x20
const WATERMARK_KINDS = ['family', 'subject', 'key', 'audience', 'all'] as const
const NODE_KINDS = ['join', 'leave', 'ack', 'lease', 'trim', 'snapshot', 'call'] as const

const COUNT_BYTES = 2
const TOKEN_BYTES = 23
const TIME_BYTES = 6

const isNode = (entry: FeedEntry): entry is NodeEntry => 'until' in entry

/** How many bytes an entry takes in an event. */
function sizeOf(entry: FeedEntry): number {
  if (entry.kind === 'token') return TOKEN_BYTES + (entry.from === undefined ? 0 : TIME_BYTES)
  return 3 + Buffer.byteLength(entry.value) + (isNode(entry) ? 1 : 2) * TIME_BYTES
}

/**
 * Writes entries as the bytes of one event.
 *
 * @param entries - At most {@link MAX_ENTRIES}.
 * @throws `ERR_INVALID_ARGUMENT` for an entry that cannot be written.
 */
export function encodeEntries(entries: readonly FeedEntry[]): Uint8Array {
  if (entries.length > MAX_ENTRIES) throw invalid(`entries: expected at most ${MAX_ENTRIES}`)
  const size = entries.reduce((sum, entry) => sum + sizeOf(entry), COUNT_BYTES)
  const bytes = new Uint8Array(size)
  const buffer = Buffer.from(bytes.buffer)
  let at = buffer.writeUInt16BE(entries.length)
  for (const entry of entries) {
    at = entry.kind === 'token' ? writeToken(buffer, at, entry) : writeNamed(buffer, at, entry)
  }
  return bytes
}

// Shared: a visitor copies the words or uses them up before anything else is read. Visitors call no foreign code.
const id = new Int32Array(4)

function writeToken(buffer: Buffer, start: number, entry: TokenEntry): number {
  const { value, expiresAt, from, loose } = entry
  if (!readUlid(value, id)) throw invalid('value: expected a ULID')
  let at = buffer.writeUInt8((from === undefined ? 0 : WITH_FROM) | (loose ? LOOSE : 0), start)
  for (const word of id) at = buffer.writeInt32BE(word, at)
  at = writeTime(buffer, at, 'expiresAt', expiresAt)
  return from === undefined ? at : writeTime(buffer, at, 'from', from)
}

function writeNamed(buffer: Buffer, start: number, entry: WatermarkEntry | NodeEntry): number {
  if (isNode(entry)) {
    const { kind, value, until } = entry
    if (!isNodeName(value)) throw invalid(`value: expected 1 to ${MAX_NAME_LENGTH} characters`)
    const at = writeText(buffer, start, NODE + NODE_KINDS.indexOf(kind), value)
    return writeTime(buffer, at, 'until', until)
  }
  const { kind, value, before, expiresAt } = entry
  const at = writeText(buffer, start, WATERMARK + WATERMARK_KINDS.indexOf(kind), value)
  return writeTime(buffer, writeTime(buffer, at, 'before', before), 'expiresAt', expiresAt)
}

const isNodeName = (text: string): boolean => text.length > 0 && text.length <= MAX_NAME_LENGTH

function writeText(buffer: Buffer, start: number, tag: number, text: string): number {
  const length = Buffer.byteLength(text)
  // A lone surrogate would come out as another character, and name something else.
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
 * Groups entries into events, in their order: each of at most {@link MAX_ENTRIES} entries, and of at most `maxBytes`
 * when it is written.
 *
 * @param maxBytes - At least the size of the largest entry, some 4 KiB.
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

/** When the last of these entries may be forgotten, in Unix milliseconds; 0 when none of them revokes anything. */
export function expiryOf(entries: readonly FeedEntry[]): number {
  return entries.reduce(
    (last, entry) => (isNode(entry) ? last : Math.max(last, entry.expiresAt)),
    0,
  )
}

/** Reads the bytes of one event, or answers `undefined` for anything that is not exactly one. Never throws. */
export function decodeEntries(bytes: Uint8Array): readonly FeedEntry[] | undefined {
  const entries: FeedEntry[] = []
  const whole = readEach(new ByteReader(bytes), {
    token: (words, expiresAt, from, loose) =>
      entries.push(tokenEntry(writeUlid(words), expiresAt, from, loose)),
    watermark: (entry) => entries.push(entry),
    node: (entry) => entries.push(entry),
  })
  return whole ? entries : undefined
}

/** What {@link applyEntries} applies to; a revocation index is one. */
export interface EntrySink {
  /** Takes one entry in; `false` when there is no room for it. */
  apply(entry: RevocationEntry): boolean
  /** The same for a token that is not loose, by the four words of its id, which it must not keep. */
  applyWords(words: Int32Array, expiresAt: number, from: number | undefined): boolean
}

/** How {@link applyEntries} applies. */
export interface ApplyOptions {
  readonly index: EntrySink
  /** Told what nodes say to each other. */
  readonly onNode?: (entry: NodeEntry) => void
}

/**
 * Applies the bytes of one event, without making objects of its tokens: all of it, or nothing if any of it is amiss.
 *
 * @returns How many entries the index had no room for, or `undefined` for what {@link decodeEntries} would not read.
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
    token: (words, expiresAt, from, loose) => {
      const taken = loose
        ? index.apply(tokenEntry(writeUlid(words), expiresAt, from, loose))
        : index.applyWords(words, expiresAt, from)
      if (!taken) refused++
    },
    watermark: (entry) => {
      if (!index.apply(entry)) refused++
    },
    node: (entry) => onNode?.(entry),
  })
  return { refused }
}

function tokenEntry(
  value: string,
  expiresAt: number,
  from: number | undefined,
  loose: boolean,
): TokenEntry {
  return {
    kind: 'token',
    value,
    expiresAt,
    ...(from === undefined ? {} : { from }),
    ...(loose ? { loose } : {}),
  }
}

/** Is told of each entry of an event. The words of an id are overwritten by the next one. */
interface Visitor {
  token(words: Int32Array, expiresAt: number, from: number | undefined, loose: boolean): void
  watermark(entry: WatermarkEntry): void
  node(entry: NodeEntry): void
}

const NOBODY: Visitor = { token() {}, watermark() {}, node() {} }

/** Tells the visitor of each entry up to the first fault; answers whether there is none. */
function readEach(reader: ByteReader, visitor: Visitor): boolean {
  if (!reader.has(COUNT_BYTES)) return false
  const count = reader.uint16()
  if (count > MAX_ENTRIES) return false
  for (let i = 0; i < count; i++) {
    if (!reader.has(1)) return false
    const tag = reader.uint8()
    if (!(tag < WATERMARK ? readToken(reader, tag, visitor) : readNamed(reader, tag, visitor)))
      return false
  }
  return reader.done
}

function readToken(reader: ByteReader, tag: number, visitor: Visitor): boolean {
  const hasFrom = (tag & WITH_FROM) !== 0
  if (tag > (WITH_FROM | LOOSE)) return false
  if (!reader.has(TOKEN_BYTES - 1 + (hasFrom ? TIME_BYTES : 0))) return false
  reader.words(id)
  const expiresAt = reader.time()
  visitor.token(id, expiresAt, hasFrom ? reader.time() : undefined, (tag & LOOSE) !== 0)
  return true
}

function readNamed(reader: ByteReader, tag: number, visitor: Visitor): boolean {
  const value = reader.text(MAX_TEXT_BYTES)
  if (value === undefined) return false
  const watermark = WATERMARK_KINDS[tag - WATERMARK]
  const node = NODE_KINDS[tag - NODE]
  if (watermark !== undefined && reader.has(2 * TIME_BYTES)) {
    const before = reader.time()
    visitor.watermark({ kind: watermark, value, before, expiresAt: reader.time() })
    return true
  }
  if (node === undefined || !isNodeName(value) || !reader.has(TIME_BYTES)) return false
  visitor.node({ kind: node, value, until: reader.time() })
  return true
}
