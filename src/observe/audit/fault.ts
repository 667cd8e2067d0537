/**
 * What a verification of the audit finds.
 *
 * @module
 */

/** What is wrong with the audit. */
export type AuditFaultKind =
  /** The content of the row is not the one that the authority wrote, or was removed before its time. */
  | 'edited'
  /** The authority wrote the row, but at another place. */
  | 'moved'
  /** The authority did not write the row. */
  | 'inserted'
  /** The row that was at this place is gone. */
  | 'missing'
  /** Every row is as it was written, but the stored checkpoint of the tree was edited or removed. */
  | 'checkpoint'

/** The first row of the audit that is not as the authority wrote it. */
export interface AuditFault {
  /** The index in the tree, from 0; `null` for a row that has none yet, and for a checkpoint. */
  readonly index: number | null
  /** The id of the row that is stored there, or that was deleted before it had a place; `null` if it is not known. */
  readonly id: string | null
  /** What is wrong with it. */
  readonly what: AuditFaultKind
}
