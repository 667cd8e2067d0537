/**
 * Integrity tags of rows. An attacker with write access to the database but without a key cannot create them.
 *
 * A tag is a PASETO v4.local token with an empty payload, whose implicit assertion covers every immutable field of the
 * row: canonical JSON within PASETO's own PAE. Its key is derived from a keyring key: for a token record the key that
 * sealed the token, for a key's row that key itself, for a revocation or a restriction the current key, which the footer
 * names.
 *
 * @module
 */
import { PAE } from 'paseto'
import { listJson } from '../lib/plain.js'
import { RESTRICTION_FIELDS, type RestrictionRecord } from '../store/restrictions.js'
import type { KeyRecord, Revocation, TokenRecord } from '../store/store.js'
import { deriveKey, destroyKey, type LocalKey } from '../token/paserk.js'
import { decryptInto, sealBytes } from '../token/v4local.js'
import { footerOf } from '../token/wire.js'

/** The purpose string for deriving tag keys. */
export const TAG_PURPOSE = 'watchword-record-v1'

const HEADER = 'v4.local.'
const EMPTY = new Uint8Array(0)

/** Every immutable field of a token record. */
export const RECORD_FIELDS = [
  'id',
  'family',
  'generation',
  'predecessor',
  'subject',
  'audience',
  'policy',
  'policyVersion',
  'scopes',
  'keyId',
  'issuedAt',
  'notBefore',
  'expiresAt',
  'familyIssuedAt',
  'familyExpiresAt',
  'issuedBy',
  'ttl',
  'rotatable',
] as const satisfies readonly (keyof TokenRecord)[]

/** What the tag of a token's details covers: the fields that may be replaced, the hint, and the token they belong to. */
const DETAIL_FIELDS = [
  'id',
  'label',
  'owner',
  'purpose',
  'hint',
] as const satisfies readonly (keyof TokenRecord)[]

/** Every immutable field of a key's row, except the wrapped key, which the root key authenticates. */
const KEY_FIELDS = [
  'id',
  'audience',
  'generation',
  'createdAt',
  'activatesAt',
  'retiresAt',
  'expiresAt',
] as const satisfies readonly (keyof KeyRecord)[]

/** Every field of a revocation: all are immutable. */
const REVOCATION_FIELDS = [
  'id',
  'kind',
  'value',
  'before',
  'at',
  'actor',
  'reason',
  'expiresAt',
  'family',
  'generation',
] as const satisfies readonly (keyof Revocation)[]

export type RecordContent = Pick<TokenRecord, (typeof RECORD_FIELDS)[number]>
export type DetailContent = Pick<TokenRecord, (typeof DETAIL_FIELDS)[number]>
export type KeyContent = Pick<KeyRecord, (typeof KEY_FIELDS)[number]>
export type RevocationContent = Pick<Revocation, (typeof REVOCATION_FIELDS)[number]>
export type RestrictionContent = Pick<RestrictionRecord, (typeof RESTRICTION_FIELDS)[number]>

/** Creates the tag of a token record. `key`: derived for tags from the key of its `keyId`. */
export function tagOfRecord(key: LocalKey, record: RecordContent): string {
  return seal(key, EMPTY, assertion('token', record, RECORD_FIELDS))
}

/** Whether the record matches its tag. */
export function isRecordIntact(key: LocalKey, record: TokenRecord): boolean {
  return opens(key, record.tag, EMPTY, assertion('token', record, RECORD_FIELDS))
}

/** Creates the tag of a token's details. `key`: derived for tags from the key of its `keyId`. */
export function tagOfDetails(key: LocalKey, record: DetailContent): string {
  return seal(key, EMPTY, assertion('details', record, DETAIL_FIELDS))
}

/** Whether the details of a token match their tag. */
export function areDetailsIntact(key: LocalKey, record: TokenRecord): boolean {
  return opens(key, record.detailsTag, EMPTY, assertion('details', record, DETAIL_FIELDS))
}

/** Creates the tag of a key's row. `key`: the key itself. */
export function tagOfKey(key: LocalKey, record: KeyContent): string {
  return withDerived(key, (own) => seal(own, EMPTY, assertion('key', record, KEY_FIELDS)))
}

/** Whether two rows of one key agree in all immutable fields. */
export function isSameContent(a: KeyRecord, b: KeyRecord): boolean {
  return a.tag === b.tag && KEY_FIELDS.every((field) => a[field] === b[field])
}

/** Whether the row of a key matches its tag. `key`: the key itself. */
export function isKeyIntact(key: LocalKey, record: KeyRecord): boolean {
  return withDerived(key, (own) =>
    opens(own, record.tag, EMPTY, assertion('key', record, KEY_FIELDS)),
  )
}

/** A key for tags, derived from the key with this id. */
interface NamedKey {
  readonly id: string
  readonly key: LocalKey
}

/** Creates the tag of a revocation. */
export function tagOfRevocation(key: NamedKey, revocation: RevocationContent): string {
  return namedTag(key, assertion('revocation', revocation, REVOCATION_FIELDS))
}

/** Creates the tag of a revision of a restriction. */
export function tagOfRestriction(key: NamedKey, restriction: RestrictionContent): string {
  return namedTag(key, assertion('restriction', restriction, RESTRICTION_FIELDS))
}

/** A tag that names its key. */
function namedTag({ id, key }: NamedKey, implicit: Uint8Array): string {
  const footer = footerOf(id)
  return `${seal(key, footer, implicit)}.${Buffer.from(footer).toString('base64url')}`
}

/** The id of the key that made a tag of a revocation or restriction, or `undefined` if the tag names none. */
export function keyIdOfTag(tag: string): string | undefined {
  const footer = Buffer.from(tag.split('.')[3] ?? '', 'base64url').toString()
  return /^\{"kid":"(k4\.lid\.[A-Za-z0-9_-]{44})"\}$/.exec(footer)?.[1]
}

/** Whether the revocation matches its tag. `key`: derived for tags from the key that the tag names. */
export function isRevocationIntact(key: LocalKey, revocation: Revocation): boolean {
  return opensNamed(key, revocation.tag, () =>
    assertion('revocation', revocation, REVOCATION_FIELDS),
  )
}

/** Whether the revision of a restriction matches its tag, like {@link isRevocationIntact}. */
export function isRestrictionIntact(key: LocalKey, restriction: RestrictionRecord): boolean {
  return opensNamed(key, restriction.tag, () =>
    assertion('restriction', restriction, RESTRICTION_FIELDS),
  )
}

function opensNamed(key: LocalKey, tag: string, implicit: () => Uint8Array): boolean {
  const id = keyIdOfTag(tag)
  if (id === undefined) return false
  const footer = footerOf(id)
  const end = `.${Buffer.from(footer).toString('base64url')}`
  return tag.endsWith(end) && opens(key, tag.slice(0, -end.length), footer, implicit())
}

function withDerived<T>(key: LocalKey, work: (derived: LocalKey) => T): T {
  const derived = deriveKey(key, TAG_PURPOSE)
  try {
    return work(derived)
  } finally {
    destroyKey(derived)
  }
}

function seal(key: LocalKey, footer: Uint8Array, implicit: Uint8Array): string {
  return HEADER + sealBytes(key, EMPTY, footer, implicit)
}

function opens(key: LocalKey, tag: string, footer: Uint8Array, implicit: Uint8Array): boolean {
  if (!tag.startsWith(HEADER)) return false
  return decryptInto(key, tag.slice(HEADER.length), footer, implicit) === 0
}

// JSON in a fixed order is unambiguous: text is escaped, null and numbers are not text. PAE prefixes its length.
function assertion<T>(kind: string, row: T, fields: readonly (keyof T)[]): Uint8Array {
  const json = listJson(fields.map((field) => row[field]))
  return PAE([Buffer.from(`watchword-${kind}-row-v1`), Buffer.from(json)])
}
