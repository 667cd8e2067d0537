/**
 * Rows and lives of usage as text: the lists as compact JSON, which also escapes U+0000 and lone surrogates.
 *
 * One unreadable row must not fail a whole list: unreadable content is passed through, and the core rejects that row.
 *
 * @module
 */
import { listJson } from '../lib/plain.js'
import type { CallerUse, ScopeUse, UsageGap, UsageLife, UsageRow } from './usage.js'

/** The lists of a row, as they are stored. */
export interface RowTexts {
  readonly refused: string
  readonly scopes: string
  readonly callers: string
}

/** The lists of a row as JSON. */
export function rowTexts({ refused, scopes, callers }: UsageRow): RowTexts {
  return {
    refused: listJson(Object.entries(refused)),
    scopes: listJson(scopes.map(({ scope, uses, lastUsedAt }) => [scope, uses, lastUsedAt])),
    callers: listJson(
      callers.map(({ address, route, userAgent, requests }) => [
        address,
        route,
        userAgent,
        requests,
      ]),
    ),
  }
}

/** The gaps of a life as JSON. */
export function gapsText({ gaps }: Pick<UsageLife, 'gaps'>): string {
  return listJson(gaps.map(({ from, to }) => [from, to]))
}

/** The lists of a stored row. */
export function listsOf(
  texts: {
    readonly [K in keyof RowTexts]: unknown
  },
): Pick<UsageRow, 'refused' | 'scopes' | 'callers'> {
  return {
    // `fromEntries` defines properties, so a code named `__proto__` is one like any other.
    refused: parsed(texts.refused, (list) => Object.fromEntries(list as [string, number][])),
    scopes: parsed(texts.scopes, (list) =>
      (list as [string, number, number][]).map(
        ([scope, uses, lastUsedAt]): ScopeUse => ({ scope, uses, lastUsedAt }),
      ),
    ),
    callers: parsed(texts.callers, (list) =>
      (list as [string, string, string, number][]).map(
        ([address, route, userAgent, requests]): CallerUse => ({
          address,
          route,
          userAgent,
          requests,
        }),
      ),
    ),
  }
}

/** The gaps of a stored life. */
export function gapsOf(text: unknown): UsageGap[] {
  return parsed(text, (list) =>
    (list as [number, number][]).map(([from, to]): UsageGap => ({ from, to })),
  )
}

/** A row that can be summed: unreadable lists are empty, so that one broken row does not stop all folding. */
export function summable(row: UsageRow): UsageRow {
  return {
    ...row,
    refused: typeof row.refused === 'object' && row.refused !== null ? row.refused : {},
    scopes: Array.isArray(row.scopes) ? row.scopes : [],
    callers: Array.isArray(row.callers) ? row.callers : [],
  }
}

function parsed<T>(text: unknown, read: (list: unknown[]) => T): T {
  try {
    return read(JSON.parse(text as string) as unknown[])
  } catch {
    return text as T
  }
}
