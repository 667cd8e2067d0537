/**
 * Rows and lives of usage as text.
 *
 * @module
 */
import { listJson } from '../../lib/plain.js'
import type { UsageLife, UsageRow } from '../usage.js'
import { gapsOf, gapsText, listsOf, rowTexts } from '../usage-codec.js'
import { totalOf } from '../usage-sums.js'

/** The content of an hour or a day: everything but its token, time and life. */
export function usageText(row: UsageRow, kind: 'h' | 'd'): string {
  const { refused, scopes, callers } = rowTexts(row)
  const { requests, firstUsedAt, lastUsedAt, others } = row
  const numbers = listJson([requests, firstUsedAt, lastUsedAt, others])
  return `${kind}${totalOf(row)}:[${[numbers, refused, scopes, callers].join(',')}]`
}

/** Converts the content at a place, `<from>:<life>`. Unreadable content is passed through: the core rejects the row. */
export function usageRowOf(id: string, place: string, text: string): UsageRow {
  const [from = '', life = ''] = place.split(/:(.*)/s)
  const [numbers, refused, scopes, callers] = listOf(text.slice(text.indexOf(':') + 1))
  const [requests, firstUsedAt, lastUsedAt, others] = (Array.isArray(numbers) ? numbers : []) as [
    number,
    number | null,
    number | null,
    number,
  ]
  return {
    id,
    from: Number(from),
    life,
    requests,
    firstUsedAt,
    lastUsedAt,
    ...listsOf({ refused, scopes, callers }),
    others,
  }
}

/** The content of a life. */
export function lifeText(life: UsageLife): string {
  const { node, from, to, endedAt } = life
  return `[${listJson([life.life, node, from, to, endedAt])},${gapsText(life)}]`
}

/** Converts the content of a life. */
export function lifeOf(text: string): UsageLife {
  const [fields, gaps] = listOf(text)
  const [life, node, from, to, endedAt] = (Array.isArray(fields) ? fields : []) as [
    string,
    string,
    number,
    number,
    number | null,
  ]
  return { life, node, from, to, endedAt, gaps: gapsOf(gaps) }
}

function listOf(text: string): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}
