/**
 * Rows and lives of usage as text: the lists as compact JSON, which also escapes U+0000 and lone surrogates.
 *
 * One unreadable row must not fail a whole list: unreadable content is passed through, and the core rejects that row.
 *
 * @module
 */
import type { CallerUse, ScopeUse, UsageGap, UsageLife, UsageRow } from './usage.js'

/** The lists of a row, as they are stored. */
export interface RowTexts {
  readonly refused: string
  readonly scopes: string
  readonly callers: string
}

/** The lists of a row as JSON. Written by hand: a flush encodes a hundred thousand of them. */
export function rowTexts({ refused, scopes, callers }: UsageRow): RowTexts {
  return {
    refused: listText(Object.entries(refused), ([code, count]) => `${quoted(code)},${count}`),
    scopes: listText(
      scopes,
      ({ scope, uses, lastUsedAt }) => `${quoted(scope)},${uses},${lastUsedAt}`,
    ),
    callers: listText(
      callers,
      ({ address, route, userAgent, requests }) =>
        `${quoted(address)},${quoted(route)},${quoted(userAgent)},${requests}`,
    ),
  }
}

/** The gaps of a life as JSON. */
export function gapsText({ gaps }: Pick<UsageLife, 'gaps'>): string {
  return listText(gaps, ({ from, to }) => `${from},${to}`)
}

// For text, `JSON.stringify` calls no `toJSON` of a polluted prototype.
const quoted = (text: string) => JSON.stringify(text)

function listText<T>(items: readonly T[], textOf: (item: T) => string): string {
  let text = ''
  for (const item of items) text += `${text === '' ? '[' : ',['}${textOf(item)}]`
  return `[${text}]`
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

/** A row that can be summed: what is unreadable counts as nothing, so that one broken row does not stop all folding. */
export function summable(row: UsageRow): UsageRow {
  const count = (value: unknown) => (typeof value === 'number' ? value : 0)
  const time = (value: unknown) => (typeof value === 'number' ? value : null)
  return {
    ...row,
    requests: count(row.requests),
    refused: typeof row.refused === 'object' && row.refused !== null ? row.refused : {},
    firstUsedAt: time(row.firstUsedAt),
    lastUsedAt: time(row.lastUsedAt),
    scopes: Array.isArray(row.scopes) ? row.scopes : [],
    callers: Array.isArray(row.callers) ? row.callers : [],
    others: count(row.others),
  }
}

function parsed<T>(text: unknown, read: (list: unknown[]) => T): T {
  try {
    return read((typeof text === 'string' ? JSON.parse(text) : text) as unknown[])
  } catch {
    return text as T
  }
}
