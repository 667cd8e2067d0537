/**
 * Decodes revocation events.
 *
 * @module
 */
import {
  type EntrySink,
  type FamilyEntry,
  NODE_KINDS,
  type NodeEntry,
  type RestrictedDescent,
  type RevocationEntry,
} from '../index/entries.js'
import { writeUlid } from '../index/ulid-codec.js'
import { ByteReader } from './byte-reader.js'
import {
  COUNT_BYTES,
  GENERATION_BYTES,
  ID_BYTES,
  isNodeName,
  LOOSE,
  MAX_ENTRIES,
  MAX_STATE_BYTES,
  MAX_TEXT_BYTES,
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

/** Options of {@link applyEntries}. */
export interface ApplyOptions {
  readonly index: EntrySink
  /** Called with the entries that nodes publish about themselves. */
  readonly onNode?: (entry: NodeEntry) => void
}

/**
 * Applies an encoded event without allocating objects for its tokens. An invalid event is not applied at all.
 *
 * @returns The number of entries that did not fit into the index, or `undefined` for bytes that are not exactly
 * one event. Never throws.
 */
export function applyEntries(
  bytes: Uint8Array,
  { index, onNode }: ApplyOptions,
): { readonly refused: number } | undefined {
  const reader = new ByteReader(bytes)
  if (!readEach(reader, IGNORE)) return undefined
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

const IGNORE: Visitor = { token() {}, other() {}, node() {} }

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

// Shared: a visitor copies or consumes the words before the next read. Visitors call no foreign code.
const id = new Int32Array(4)

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
  if (tag >= RESTRICTED) return readRestricted(reader, tag, value, visitor)
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

function readRestricted(reader: ByteReader, tag: number, value: string, visitor: Visitor): boolean {
  const hasDescent = tag >= RESTRICTED_DESCENT
  const target = RESTRICTION_KINDS[tag - (hasDescent ? RESTRICTED_DESCENT : RESTRICTED)]
  const size = 2 * TIME_BYTES + (hasDescent ? ID_BYTES + GENERATION_BYTES : 0)
  if (target === undefined || !reader.has(size)) return false
  const descent = hasDescent ? readDescent(reader) : null
  const revision = reader.time()
  const expiresAt = reader.time()
  const state = reader.text(MAX_STATE_BYTES)
  if (revision === 0 || state === undefined) return false
  visitor.other({ kind: 'restricted', target, value, descent, revision, state, expiresAt })
  return true
}

function readDescent(reader: ByteReader): RestrictedDescent {
  reader.words(id)
  return { family: writeUlid(id), generation: reader.uint32() }
}
