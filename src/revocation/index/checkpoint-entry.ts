/**
 * Checkpoints of the audit as entries of the revocation log.
 *
 * A checkpoint travels as the revocation of a subject that cannot exist, because its name has a control character, up to
 * time 0: it revokes nothing. Every version of the library can read it, keeps it until it expires, and writes it into
 * snapshots. A kind of entry of its own would make nodes of earlier versions unable to read the log.
 *
 * @module
 */
import type { RevocationEntry, WatermarkEntry } from './entries.js'

const PREFIX = '\u0001watchword-audit '

/** The size and root of a tree. */
export interface CheckpointFacts {
  readonly size: number
  /** 64 hexadecimal digits. */
  readonly root: string
}

/** The entry of a checkpoint. */
export function checkpointEntry(
  { size, root }: CheckpointFacts,
  expiresAt: number,
): WatermarkEntry {
  return { kind: 'subject', value: `${PREFIX}${size} ${root}`, before: 0, expiresAt }
}

/** The checkpoint of an entry, if it is one. */
export function checkpointIn({ kind, value }: RevocationEntry): CheckpointFacts | undefined {
  if (kind !== 'subject' || !value.startsWith(PREFIX)) return undefined
  const [, size, root = ''] = /^(\d{1,15}) ([0-9a-f]{64})$/.exec(value.slice(PREFIX.length)) ?? []
  return size === undefined ? undefined : { size: Number(size), root }
}
