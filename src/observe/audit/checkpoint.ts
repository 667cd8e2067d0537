/**
 * Checkpoints of the audit: the size and the root of its tree, as text in the format of C2SP tlog-checkpoint.
 *
 * @module
 */

/** The state of the audit at one moment: two checkpoints of one size are equal, or one of the trees was changed. */
export interface AuditCheckpoint {
  /** The name of the log: the issuer of the authority. */
  readonly origin: string
  /** The number of rows in the tree. */
  readonly size: number
  /** The root of the tree: 64 hexadecimal digits. */
  readonly root: string
  /** The text to keep elsewhere: the three lines of a C2SP tlog-checkpoint, without signatures. */
  readonly text: string
}

/** A checkpoint of this size and root. */
export function checkpointOf(origin: string, size: number, root: string): AuditCheckpoint {
  const base64 = Buffer.from(root, 'hex').toString('base64')
  return Object.freeze({ origin, size, root, text: `${origin}\n${size}\n${base64}\n` })
}

/**
 * Reads the text of a checkpoint. Ignores extension lines and signatures, which a witness may have added, and accepts
 * line ends of Windows. Returns `undefined` for any other text.
 */
export function parseCheckpoint(text: string): AuditCheckpoint | undefined {
  const [origin = '', size = '', base64 = ''] = text.split(/\r?\n/)
  if (origin === '' || !/^(?:0|[1-9]\d{0,14})$/.test(size)) return undefined
  const root = Buffer.from(base64, 'base64')
  if (root.length !== 32 || root.toString('base64') !== base64) return undefined
  return checkpointOf(origin, Number(size), root.toString('hex'))
}
