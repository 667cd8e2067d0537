/**
 * Ids and records for the cases, generated from a seed, so failures are reproducible.
 *
 * @module
 */
import type { KeyRecord, Revocation, RevocationKind, TokenRecord } from '../../store/store.js'
import { generator } from '../random.js'

/** The time of the cases: 2026-01-01T00:00:00Z. They read no clock. */
export const NOW = Date.UTC(2026, 0, 1)

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Generates the values of one case. */
export interface Fixtures {
  /** Returns a new ULID, greater than the previous one. */
  id(): string
  /** Returns a new `k4.lid.…`. */
  keyId(): string
  /** Returns the items in a shuffled order, the same in every run. */
  shuffled<T>(items: readonly T[]): T[]
  /** Returns the first token of a family, live for an hour from {@link NOW}. */
  token(over?: Partial<TokenRecord>): TokenRecord
  tokens(count: number, over?: Partial<TokenRecord>): TokenRecord[]
  /** Returns the record that a rotation of the token inserts. */
  successor(of: TokenRecord, over?: Partial<TokenRecord>): TokenRecord
  key(over?: Partial<KeyRecord>): KeyRecord
  revocation(kind: RevocationKind, value: string, over?: Partial<Revocation>): Revocation
}

/** Fixtures from a seed. */
export function fixtures(seed: string): Fixtures {
  const random = generator(seed)
  let counter = 0
  const pick = (alphabet: string, length: number) =>
    Array.from({ length }, () => alphabet[random() % alphabet.length]).join('')

  function id(): string {
    counter++
    return timePart(NOW + counter) + pick(CROCKFORD, 16)
  }
  const tag = () => `v4.local.${pick(BASE64URL, 86)}`
  const keyId = () => `k4.lid.${pick(BASE64URL, 44)}`

  function token(over: Partial<TokenRecord> = {}): TokenRecord {
    const own = over.id ?? id()
    return {
      id: own,
      family: own,
      generation: 0,
      predecessor: null,
      successor: null,
      subject: 'user:1',
      audience: 'api',
      policy: 'job',
      policyVersion: 1,
      scopes: ['orders:read', 'orders:write'],
      keyId: 'k4.lid.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      issuedAt: NOW,
      notBefore: null,
      expiresAt: NOW + HOUR,
      familyIssuedAt: NOW,
      familyExpiresAt: NOW + 24 * HOUR,
      issuedBy: 'admin',
      ttl: HOUR,
      rotatable: true,
      tag: tag(),
      label: null,
      owner: null,
      purpose: null,
      hint: null,
      detailsTag: '',
      supersededAt: null,
      revokedAt: null,
      revokedBy: null,
      revokedReason: null,
      lastUsedAt: null,
      ...over,
    }
  }

  return {
    id,
    keyId,
    shuffled: (items) =>
      items
        .map((item) => ({ item, rank: random() }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ item }) => item),
    token,
    tokens: (count, over) => Array.from({ length: count }, () => token(over)),
    successor: (of, over) =>
      token({
        family: of.family,
        generation: of.generation + 1,
        predecessor: of.id,
        subject: of.subject,
        audience: of.audience,
        policy: of.policy,
        keyId: of.keyId,
        issuedAt: of.issuedAt + MINUTE,
        expiresAt: of.expiresAt + MINUTE,
        familyIssuedAt: of.familyIssuedAt,
        familyExpiresAt: of.familyExpiresAt,
        label: of.label,
        owner: of.owner,
        purpose: of.purpose,
        hint: of.hint,
        ...over,
      }),
    key: (over) => ({
      id: keyId(),
      audience: 'api',
      generation: 1,
      wrapped: `k4.local-wrap.pie.${pick(BASE64URL, 128)}`,
      wrappedBy: keyId(),
      createdAt: NOW,
      activatesAt: NOW + MINUTE,
      retiresAt: NOW + HOUR,
      expiresAt: NOW + 2 * HOUR,
      revokedAt: null,
      tag: tag(),
      ...over,
    }),
    revocation: (kind, value, over) => ({
      id: id(),
      kind,
      value,
      before: NOW,
      at: NOW + 5 * MINUTE,
      actor: 'operator',
      reason: 'left the company',
      expiresAt: NOW + 24 * HOUR,
      family: null,
      generation: null,
      tag: tag(),
      ...over,
    }),
  }
}

function timePart(time: number): string {
  let rest = time
  let text = ''
  for (let digit = 0; digit < 10; digit++) {
    text = CROCKFORD[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return text
}
