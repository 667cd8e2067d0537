/**
 * Verification of the audit: recomputes the tree from its rows, and compares it with the seals of the rows and with
 * every checkpoint that is known.
 *
 * @module
 */
import type { AuditStore } from '../../store/audit.js'
import type { StoreCall } from '../failures.js'
import { idOf, isRow } from './entries.js'
import type { AuditFault } from './fault.js'
import type { NewestCheckpoint } from './newest.js'
import type { OwnRows } from './own-rows.js'
import { type AuditSeals, checkRow, keysOutOfReach, loadAll } from './seals.js'
import { TreePass } from './tree-pass.js'
import type { SeenCheckpoint } from './witness.js'

/** The result of a verification. */
export interface AuditReport {
  /** Whether every row is as the authority wrote it, and no row is missing. */
  readonly ok: boolean
  /** The number of rows in the tree. */
  readonly size: number
  /**
   * The number of rows that a checkpoint proves: the newest of the store, one that this node remembers, or the one that
   * was passed. Rows after it are proved by their seals only, which do not show whether the last of them were removed.
   */
  readonly anchoredTo: number
  /** The first fault; `null` if there is none. */
  readonly first: AuditFault | null
}

/** Options of a verification. */
export interface VerifyAuditOptions {
  readonly store: AuditStore
  readonly call: StoreCall
  readonly seals: AuditSeals
  readonly newest: Pick<NewestCheckpoint, 'read'>
  readonly own: OwnRows
  /** The known checkpoints, by ascending size; called after the newest one was read. */
  readonly anchors: () => readonly SeenCheckpoint[]
  /** Content of rows up to this time may have been purged. */
  readonly purgedUntil: number
}

const PAGE = 1000

/** Verifies the whole audit with bounded memory. Rejects like the store. */
export async function verifyAudit(options: VerifyAuditOptions): Promise<AuditReport> {
  const head = await options.newest.read()
  if (head.isOutOfReach) throw keysOutOfReach()
  const pass = new TreePass({ ...options, anchors: options.anchors(), head })
  const first =
    (await pass.run()) ??
    (await firstForged(options)) ??
    (await firstDeleted(options)) ??
    (await checkpointFault(options, head.range !== undefined, pass.size))
  return Object.freeze({
    ok: first === undefined,
    size: head.size,
    anchoredTo: pass.anchoredTo,
    first: first === undefined ? null : Object.freeze(first),
  })
}

/** The first pending row that the authority did not write: no checkpoint proves one whose key is lost. */
async function firstForged({
  store,
  call,
  seals,
  own,
}: VerifyAuditOptions): Promise<AuditFault | undefined> {
  let after: string | undefined
  for (;;) {
    const page = after === undefined ? { limit: PAGE } : { limit: PAGE, after }
    const rows = await call(() => store.listPending(page))
    await loadAll(
      seals,
      rows.filter(isRow).map(({ tag }) => tag),
    )
    for (const row of rows) {
      if (!isRow(row)) return { index: null, id: idOf(row) ?? null, what: 'edited' }
      if (checkRow(seals, row) !== 'intact')
        return { index: null, id: row.id, what: own.has(row.id) ? 'edited' : 'inserted' }
    }
    after = rows.at(-1)?.id
    if (rows.length < PAGE || after === undefined) return undefined
  }
}

async function firstDeleted({ own }: VerifyAuditOptions): Promise<AuditFault | undefined> {
  const id = await own.firstDeleted()
  return id === undefined ? undefined : { index: null, id, what: 'missing' }
}

/** The fault of the stored checkpoint, whose rows are all there. `size`: the number of rows in the tree. */
async function checkpointFault(
  { newest }: VerifyAuditOptions,
  isAuthentic: boolean,
  size: number,
): Promise<AuditFault | undefined> {
  const fault = { index: null, id: null, what: 'checkpoint' } as const
  if (!isAuthentic) return fault
  // Rows that were appended during the verification have a newer checkpoint.
  const { range } = await newest.read()
  return range !== undefined && range.size >= size ? undefined : fault
}
