/**
 * Reading revocations back from the store: all of them where the log is lost, or the latest where it may have lost some.
 *
 * @module
 */
import { encodeTime } from 'ulid'
import { WatchwordError } from '../errors.js'
import {
  type CheckedRow,
  corruptIdsOf,
  corruptRow,
  readRevocations,
  readTokens,
  recordsOf,
} from '../store/checked.js'
import type { Revocation, Store } from '../store/store.js'
import type { RevocationEntry } from './entries.js'
import type { RevocationIndex } from './index.js'

const PAGE = 1000
const ULID_TIME = 10
const ULID_RANDOM = 16

/** Where revocations are read from, and where they go. */
export interface ReadBackOptions {
  readonly store: Store
  readonly index: RevocationIndex
  /** Runs a call to the store under the authority's deadline. */
  readonly call: <T>(call: () => Promise<T>) => Promise<T>
}

/** What a refill needs. */
export interface RefillOptions extends ReadBackOptions {
  /** Unix milliseconds: what expired by then is left out. */
  readonly now: number
}

/**
 * Puts every kept revocation, and the end of every rotated token, into the index. Rejects when the store fails, or when
 * a row does not parse: a revocation that cannot be read must not be passed over in silence.
 */
export async function refillIndex(options: RefillOptions): Promise<void> {
  await refillRevocations(options)
  await refillRotations(options)
}

/**
 * Puts into the index every kept revocation that was asked for at or after `since` (Unix milliseconds), by the clock of
 * whoever did. Rejects as `refillIndex` does.
 */
export async function recallRevocations(options: ReadBackOptions, since: number): Promise<void> {
  // Just below the first ULID of that time.
  const after = encodeTime(since, ULID_TIME) + '0'.repeat(ULID_RANDOM)
  await refillRevocations(options, after)
}

async function refillRevocations(
  { store, index, call }: ReadBackOptions,
  after?: string,
): Promise<void> {
  await eachPage(
    (page) => call(() => readRevocations(store, page)),
    (revocation) => {
      for (const entry of entriesOf(revocation)) {
        if (!index.apply(entry))
          throw new WatchwordError('ERR_FEED_UNAVAILABLE', 'the revocation index is full')
      }
    },
    after,
  )
}

/** What a kept revocation says to the index. */
function entriesOf(revocation: Revocation): RevocationEntry[] {
  const { kind, value, before, expiresAt, family, generation } = revocation
  if (kind !== 'token') return [{ kind, value, before, expiresAt }]
  // Of a token, `before` is its own expiry; without one, its record was not available.
  if (before === 0) return [{ kind, value, expiresAt, loose: true }]
  const entry: RevocationEntry = { kind, value, expiresAt: before }
  // It matters beyond the token's own expiry only for successors.
  const ended = family !== null && generation !== null && expiresAt > before
  return ended ? [entry, { kind: 'successors', value: family, generation, expiresAt }] : [entry]
}

async function refillRotations({ store, index, now, call }: RefillOptions): Promise<void> {
  await eachPage(
    (page) => call(() => readTokens(store, { supersededAliveAt: now }, page)),
    ({ family: value, generation, expiresAt, supersededAt: from }) => {
      if (from !== null) index.apply({ kind: 'rotated', value, generation, from, expiresAt })
    },
  )
}

async function eachPage<T>(
  read: (page: {
    readonly limit: number
    readonly after?: string
  }) => Promise<readonly CheckedRow<T>[]>,
  take: (record: T) => void,
  from?: string,
): Promise<void> {
  let after = from
  for (;;) {
    const rows = await read(after === undefined ? { limit: PAGE } : { limit: PAGE, after })
    const [corrupt] = corruptIdsOf(rows)
    if (corrupt !== undefined) throw corruptRow('row', corrupt)
    for (const record of recordsOf(rows)) take(record)
    if (rows.length < PAGE) return
    after = rows.at(-1)?.id
  }
}
