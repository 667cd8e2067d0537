/**
 * Checks of stored rows, which are trusted only as far as a token or an integrity tag proves them.
 *
 * The token is authoritative for its own claims, the store for state. A row that contradicts either was edited and may
 * only narrow what a token can do.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { Keyring } from '../keys/keyring.js'
import type { Integrity, RecordTagger } from '../keys/record-tagger.js'
import type { AuditSource } from '../observe/audit.js'
import type { ResolvedOptions } from '../options/options.js'
import { intersectScopes } from '../policy/scopes.js'
import type { TokenRecord } from '../store/store.js'
import type { Verified } from '../types.js'

/** The parts that check one row. */
export interface IntegrityCore extends AuditSource {
  readonly options: Pick<ResolvedOptions, 'issuer' | 'policies'>
  readonly tagger: RecordTagger
}

/** The parts that check many rows. */
interface BatchCore extends IntegrityCore {
  readonly keyring: Pick<Keyring, 'stored' | 'refresh'>
}

/** The claims that a token and its record share. */
const CLAIMED = [
  'id',
  'subject',
  'audience',
  'policy',
  'family',
  'generation',
  'issuedAt',
  'expiresAt',
] as const satisfies readonly (keyof TokenRecord & keyof Verified<unknown>)[]

/** Checks a row by its tag. Rejects with `ERR_STORE_CORRUPT` and reports the row. */
async function assertIntact(core: IntegrityCore, record: TokenRecord): Promise<void> {
  assertResult(core, record, await core.tagger.checkRecord(record))
}

/** Checks the details of a row by their tag. Rejects like {@link assertIntact}. */
export async function assertDetails(core: IntegrityCore, record: TokenRecord): Promise<void> {
  assertResult(core, record, await core.tagger.checkDetails(record))
}

function assertResult(core: IntegrityCore, record: TokenRecord, integrity: Integrity): void {
  if (integrity === 'unknown') {
    throw new WatchwordError(
      'ERR_NO_SIGNING_KEY',
      'the key that proves the integrity of the row is not loaded; try again when the store responds',
      { detail: `token ${record.id}, key ${record.keyId}` },
    )
  }
  if (integrity === 'tampered') throw tampered(core, record)
}

/** Checks a row by its tag and by the authentic claims of its token. Rejects like {@link assertIntact}. */
export async function assertMatches(
  core: IntegrityCore,
  record: TokenRecord,
  principal: Verified<unknown>,
): Promise<void> {
  assertClaims(core, record, principal)
  await assertIntact(core, record)
}

/** Checks a row by the authentic claims of its token. Throws `ERR_STORE_CORRUPT` and reports the row. */
export function assertClaims(
  core: IntegrityCore,
  record: TokenRecord,
  principal: Verified<unknown>,
): void {
  const policy = core.options.policies.get(record.policy)
  // A verified token has the scopes that its policy still grants, its row the scopes at issue.
  const scopes =
    policy === undefined ? record.scopes : intersectScopes(record.scopes, policy.scopes)
  const isSame =
    CLAIMED.every((field) => record[field] === principal[field]) &&
    scopes.length === principal.scopes.length &&
    scopes.every((scope, index) => scope === principal.scopes[index])
  if (!isSame) throw tampered(core, record)
}

const ROWS_A_TURN = 50

/** What is checked of a row. Its details decide nothing about the token. */
type Checked = 'everything' | 'without details'

/**
 * The ids of rows that do not match their tags. Excludes rows from before tags existed unless they have details, and
 * rows whose key was purged, which can no longer be checked.
 */
export async function editedRows(
  core: BatchCore,
  records: readonly TokenRecord[],
  checked: Checked = 'everything',
): Promise<ReadonlySet<string>> {
  const edited = new Set<string>()
  const unknown: TokenRecord[] = []
  let count = 0
  for (const record of records) {
    const integrity = await checkRow(core.tagger, record, checked)
    if (integrity === 'tampered') edited.add(record.id)
    if (integrity === 'unknown') unknown.push(record)
    // A page takes tens of milliseconds, so this yields to requests in between.
    if (++count % ROWS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  for (const { id } of await withMadeUpKeys(core, unknown)) edited.add(id)
  return edited
}

async function checkRow(
  tagger: RecordTagger,
  record: TokenRecord,
  checked: Checked,
): Promise<Integrity> {
  const details = checked === 'everything' ? await tagger.checkDetails(record) : 'intact'
  return details === 'intact' && record.tag !== '' ? tagger.checkRecord(record) : details
}

// A key outlives every token that it sealed, so the store still has the key of an unexpired token.
async function withMadeUpKeys(
  { keyring, clock }: BatchCore,
  records: readonly TokenRecord[],
): Promise<readonly TokenRecord[]> {
  const now = clock.now()
  const current = records.filter(({ expiresAt }) => expiresAt > now)
  const isStored = ({ keyId }: TokenRecord) => keyring.stored.some(({ id }) => id === keyId)
  if (current.every(isStored)) return []
  await keyring.refresh()
  return current.filter((record) => !isStored(record))
}

/** Checks that one row is the successor of another. Rejects like {@link assertIntact}. */
export async function assertSuccessor(
  core: IntegrityCore,
  record: TokenRecord,
  successor: TokenRecord,
): Promise<void> {
  const { id, family, generation } = record
  const follows = successor.generation === generation + 1 && successor.family === family
  if (!follows || successor.predecessor !== id) throw tampered(core, record)
  await assertIntact(core, successor)
}

/** Whether the rows prove that one token was rotated to another. Reports them if not. */
export async function isSuccession(
  core: IntegrityCore,
  predecessor: TokenRecord,
  successor: TokenRecord,
  principal: Verified<unknown>,
): Promise<boolean> {
  try {
    await assertMatches(core, successor, principal)
    await assertSuccessor(core, predecessor, successor)
    await assertIntact(core, predecessor)
    return true
  } catch (error) {
    if (error instanceof WatchwordError && error.code === 'ERR_STORE_CORRUPT') return false
    throw error
  }
}

/** Reports a row that contradicts proved data. */
export function reportTampered(core: IntegrityCore, { id }: TokenRecord): void {
  core.trail.noteOnce(id, { action: 'store.tampered', actor: 'system', target: 'token', id })
}

/** Reports a row that contradicts proved data, and creates the error for it. */
export function tampered(
  core: IntegrityCore,
  record: TokenRecord,
): WatchwordError<'ERR_STORE_CORRUPT'> {
  const detail = `token ${record.id}`
  reportTampered(core, record)
  return new WatchwordError(
    'ERR_STORE_CORRUPT',
    'the row of the token does not match its integrity tag, or was written before tags existed; restore the row from a backup, or issue a new token',
    { detail },
  )
}
