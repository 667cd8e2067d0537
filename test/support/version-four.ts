/**
 * Frozen: how a process with version 4 of the schema writes usage. Never adapt it to newer columns.
 *
 * @module
 */

/** The statement that writes the first row of usage of a token for an hour. */
export function usageOfHour(id: string, life: string, from: number, requests: number): string {
  const lists = `'{}', ${from}, ${from}, '[]', '[]'`
  return `INSERT INTO watchword_usage (id, from_at, life, folded, ends_at, total, requests, refused, first_used_at, last_used_at, scopes, callers, others) VALUES ('${id}', ${from}, '${life}', 0, ${from + 3_600_000}, ${requests}, ${requests}, ${lists}, 0)`
}
