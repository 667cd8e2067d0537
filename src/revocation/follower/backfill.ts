/**
 * Reads revocations from the store: all of them if the log is lost, or the latest if it may have lost some.
 *
 * @module
 */
import { encodeTime } from 'ulid'
import {
  type CheckedRow,
  corruptIdsOf,
  corruptRow,
  readChanges,
  readRevocations,
  readTokens,
  recordsOf,
} from '../../store/checked.js'
import type { Revocation, Store, TokenRecord } from '../../store/store.js'
import { isUlid } from '../../token/claims.js'
import type { RevocationEntry } from '../index/entries.js'
import type { RevocationIndex } from '../index/revocation-index.js'
import { isWritable } from '../log/encode-event.js'
import { indexFull } from '../log/unavailable.js'
import {
  backfillRestrictions,
  type RestrictionReading,
  takeRestriction,
} from './backfill-restrictions.js'

const PAGE = 1000
const ROWS_A_TURN = 50
const ULID_TIME = 10
const ULID_RANDOM = 16

/** The source and target of a backfill. */
export interface ReadBackOptions {
  readonly store: Store
  readonly index: RevocationIndex
  /** Runs a call to the store under the authority's deadline. */
  readonly call: <T>(call: () => Promise<T>) => Promise<T>
  /** Reports rows that do not match their integrity tags. Default: no check. */
  readonly inspect?: RowInspector
  /** What the node already knows. A row that adds nothing is not inspected. Default: nothing. */
  readonly known?: RevocationIndex
  /** A time by which every existing token has expired, in Unix milliseconds. */
  readonly horizon: () => number
}

/** Checks rows and reports edited ones. Resolves with whether the row is intact. */
export interface RowInspector extends NonNullable<RestrictionReading['inspect']> {
  revocation(row: Revocation): Promise<boolean>
  token(row: TokenRecord): Promise<boolean>
}

/** Options of a backfill. */
export interface BackfillOptions extends ReadBackOptions {
  /** Unix milliseconds: entries that expired by then are omitted. */
  readonly now: number
}

/**
 * Loads every stored revocation and restriction, and the end of every rotated token, into the index. Rejects if the store fails or a
 * row does not parse: an unreadable revocation must not be skipped silently.
 */
export async function backfillIndex(options: BackfillOptions): Promise<void> {
  const proved = await backfillRevocationsAfter(options)
  await backfillRotations(options)
  await backfillRestrictions(options)
  if (!proved) await backfillMarked(options, options.now)
}

/**
 * Loads into the index every stored restriction, and every revocation that was requested at or after `since` (Unix
 * milliseconds), by the clock of the requesting node. Rejects like `backfillIndex`.
 */
export async function backfillRevocations(options: ReadBackOptions, since: number): Promise<void> {
  // Just below the first ULID of that time.
  const after = encodeTime(since, ULID_TIME) + '0'.repeat(ULID_RANDOM)
  if (!(await backfillRevocationsAfter(options, after))) await backfillMarked(options)
  await backfillRestrictions(options)
}

/**
 * Loads into the index everything that the store received after the cursor: revocations, restrictions and the ends of
 * rotated tokens, in the store's commit order. Resolves with the next cursor. Rejects like `backfillIndex`.
 */
export async function backfillChanges(options: ReadBackOptions, cursor: string): Promise<string> {
  const { store, call, known } = options
  let proved = true
  for (let after = cursor; ; ) {
    const page = await call(() => readChanges(store, after, PAGE))
    refuseCorrupt(page.revocations)
    refuseCorrupt(page.superseded)
    refuseCorrupt(page.restrictions)
    for (const revocation of recordsOf(page.revocations)) {
      // The log has usually delivered it by then, and checking a tag is the slowest step.
      const isKnown = known !== undefined && isCovered(known, revocation)
      if (!isKnown && !(await takeRevocation(options, revocation))) proved = false
    }
    for (const record of recordsOf(page.superseded)) {
      const entry = rotationOf(record)
      const isKnown = entry !== undefined && isWritable(entry) && known?.covers(entry) === true
      if (!isKnown) await takeRotation(options, record)
    }
    for (const row of recordsOf(page.restrictions)) await takeRestriction(options, row)
    if (!page.more) {
      if (!proved) await backfillMarked(options)
      return page.cursor
    }
    after = page.cursor
  }
}

/** Resolves with whether every revocation is intact. */
async function backfillRevocationsAfter(
  options: ReadBackOptions,
  after?: string,
): Promise<boolean> {
  const { store, call } = options
  let proved = true
  await eachPage(
    (page) => call(() => readRevocations(store, page)),
    async (revocation) => {
      if (!(await takeRevocation(options, revocation))) proved = false
    },
    after,
  )
  return proved
}

/**
 * Loads every token that the store has marked as revoked. The target of a revocation with an edited row is lost, but
 * the marks of the covered records remain.
 */
async function backfillMarked(options: ReadBackOptions, now = 0): Promise<void> {
  const { store, call, index, horizon, inspect } = options
  await eachPage(
    (page) => call(() => readTokens(store, {}, page)),
    async (record) => {
      if (record.revokedAt === null) return
      const { id: value, expiresAt } = record
      // With an edited expiry the entry would be forgotten too early.
      const isIntact = (await inspect?.token(record)) !== false
      if (!isIntact || !isUlid(value)) takeEdited(index, record, horizon())
      else if (expiresAt > now) apply(index, { kind: 'token', value, expiresAt })
    },
  )
}

async function backfillRotations(options: BackfillOptions): Promise<void> {
  const { store, now, call } = options
  await eachPage(
    (page) => call(() => readTokens(store, { supersededAliveAt: now }, page)),
    (record) => takeRotation(options, record),
  )
}

const isCovered = (known: RevocationIndex, revocation: Revocation): boolean =>
  entriesOf(revocation, true).every((entry) => isWritable(entry) && known.covers(entry))

// An edited row is reported and still applied, because a revocation can only narrow access. Resolves with whether it is
// intact. Skips entries that cannot be encoded as an event, such as one with an invalid id or a time past 2^48: no node
// writes them, and they would prevent the index from being written to a new log.
async function takeRevocation(
  { index, inspect }: ReadBackOptions,
  revocation: Revocation,
): Promise<boolean> {
  const isIntact = (await inspect?.revocation(revocation)) !== false
  const entries = entriesOf(revocation, isIntact)
  for (const entry of entries) if (isWritable(entry)) apply(index, entry)
  return isIntact && entries.every(isWritable)
}

/** Converts a stored revocation to an index entry. */
function entriesOf(revocation: Revocation, isIntact: boolean): RevocationEntry[] {
  const { kind, value, before, expiresAt, family, generation } = revocation
  if (kind !== 'token') return [{ kind, value, before, expiresAt }]
  // For a token, `before` is its own expiry; without it, the token's record was not available. In an edited row, or one
  // written before `before` had this meaning, it is only an upper bound.
  const end = Math.max(before, expiresAt)
  const entry: RevocationEntry =
    before === 0 || !isIntact
      ? { kind, value, expiresAt: end, loose: true }
      : { kind, value, expiresAt: before }
  // The revocation expires after the token only if it covers successors.
  const ended = family !== null && generation !== null && (expiresAt > before || !isIntact)
  return ended ? [entry, { kind: 'successors', value: family, generation, expiresAt }] : [entry]
}

// Only the id of an edited row is certain. The token ends immediately: its family and its original end are unknown.
async function takeRotation(
  { index, inspect, horizon }: ReadBackOptions,
  record: TokenRecord,
): Promise<void> {
  const entry = rotationOf(record)
  if (entry === undefined) return
  const isIntact = (await inspect?.token(record)) !== false && isWritable(entry)
  if (isWritable(entry)) apply(index, entry)
  if (!isIntact && record.supersededAt !== null) takeEdited(index, record, horizon())
}

// An invalid id belongs to no token.
function takeEdited(index: RevocationIndex, { id: value }: TokenRecord, expiresAt: number): void {
  if (isUlid(value)) apply(index, { kind: 'token', value, expiresAt, loose: true })
}

function rotationOf(record: TokenRecord): RevocationEntry | undefined {
  const { family: value, generation, supersededAt: from, expiresAt, familyExpiresAt } = record
  // The first token of an active family supersedes nothing.
  if (from === null && generation === 0) return undefined
  // The expiry of earlier generations is unknown here; the end of the family is never before it.
  const end = generation === 0 ? expiresAt : Math.max(expiresAt, familyExpiresAt)
  return { kind: 'rotated', value, generation, from, expiresAt: end }
}

function apply(index: RevocationIndex, entry: RevocationEntry): void {
  if (index.apply(entry)) return
  throw indexFull()
}

function refuseCorrupt(rows: readonly CheckedRow<unknown>[]): void {
  const [corrupt] = corruptIdsOf(rows)
  if (corrupt !== undefined) throw corruptRow('row', corrupt)
}

async function eachPage<T>(
  read: (page: {
    readonly limit: number
    readonly after?: string
  }) => Promise<readonly CheckedRow<T>[]>,
  take: (record: T) => void | Promise<void>,
  from?: string,
): Promise<void> {
  let after = from
  for (;;) {
    const rows = await read(after === undefined ? { limit: PAGE } : { limit: PAGE, after })
    refuseCorrupt(rows)
    for (const [at, record] of recordsOf(rows).entries()) {
      await take(record)
      // Checking the tags of a page takes tens of milliseconds, so this yields to requests in between.
      if (at % ROWS_A_TURN === ROWS_A_TURN - 1)
        await new Promise((resolve) => setImmediate(resolve))
    }
    if (rows.length < PAGE) return
    after = rows.at(-1)?.id
  }
}
