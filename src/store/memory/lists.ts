/**
 * The filters and pages of the memory store.
 *
 * @module
 */
import type { TokenFilter, TokenListPage, TokenRecord } from '../store.js'

/** Whether a token is neither revoked nor expired nor superseded by this time. */
export function isLive(row: TokenRecord, at: number): boolean {
  return (
    row.revokedAt === null &&
    row.expiresAt > at &&
    (row.supersededAt === null || row.supersededAt > at)
  )
}

function isUnused({ issuedAt, lastUsedAt }: TokenRecord, before: number): boolean {
  return issuedAt < before && (lastUsedAt === null || lastUsedAt < before)
}

/** Whether a token matches every field of the filter. */
export function matchesFilter(row: TokenRecord, filter: TokenFilter): boolean {
  return (
    (filter.subject === undefined || row.subject === filter.subject) &&
    (filter.family === undefined || row.family === filter.family) &&
    (filter.policy === undefined || row.policy === filter.policy) &&
    (filter.audience === undefined || row.audience === filter.audience) &&
    (filter.keyId === undefined || row.keyId === filter.keyId) &&
    (filter.owner === undefined || row.owner === filter.owner) &&
    (filter.issuedBy === undefined || row.issuedBy === filter.issuedBy) &&
    (filter.revoked === undefined || (row.revokedAt !== null) === filter.revoked) &&
    (filter.expiresBefore === undefined || row.expiresAt < filter.expiresBefore) &&
    (filter.unusedBefore === undefined || isUnused(row, filter.unusedBefore)) &&
    (filter.liveAt === undefined || isLive(row, filter.liveAt)) &&
    (filter.supersededAliveAt === undefined ||
      (row.supersededAt !== null && row.expiresAt > filter.supersededAliveAt))
  )
}

/** A page of rows in the order of their ids. */
export function pageOf<T extends { readonly id: string }>(
  rows: Iterable<T>,
  page: TokenListPage,
): T[] {
  const { after, order, limit } = page
  const isNewest = order === 'newest'
  // Code units, not the locale's order: ULIDs sort by time in ASCII order only.
  const precedes = (a: string, b: string) => (isNewest ? a > b : a < b)
  const rest = after === undefined ? [...rows] : [...rows].filter(({ id }) => precedes(after, id))
  return rest.sort((a, b) => (precedes(a.id, b.id) ? -1 : 1)).slice(0, limit)
}
