/**
 * The layout of revocation events.
 *
 * ```
 * event      count (2), entries
 * token      tag (1)  id (16)  expiresAt (6)
 * family     tag (1)  family (16)  expiresAt (6)  generation (4)  [from (6)]
 * watermark  tag (1)  length (2)  value as UTF-8  before (6)  expiresAt (6)
 * node       tag (1)  length (2)  name as UTF-8  until (6)
 * restricted tag (1)  length (2)  value as UTF-8  [family (16)  generation (4)]  revision (6)  expiresAt (6)
 *            length (2)  state as UTF-8
 * ```
 *
 * All numbers are big-endian and all times are Unix milliseconds. Each entry has exactly one encoding, so decoding and
 * re-encoding gives the same bytes.
 *
 * @module
 */

/** The maximum number of entries in one event. */
export const MAX_ENTRIES = 1000

export const MAX_TEXT_BYTES = 4096
// A node's instance id and its name.
export const MAX_NAME_LENGTH = 22 + 256
/** The latest time that an event can carry. */
export const MAX_TIME = 2 ** 48 - 1

// The tags of entries about ids. Other tags are the index in the list above a base.
export const TOKEN = 0
export const LOOSE = 2
export const ROTATED = 4
export const ROTATED_FROM = 5
export const SUCCESSORS = 6
export const WATERMARK = 0x10
export const NODE = 0x20
export const RESTRICTED = 0x30
export const RESTRICTED_DESCENT = 0x38
export const WATERMARK_KINDS = ['family', 'subject', 'key', 'audience', 'all'] as const

export const RESTRICTION_KINDS = ['token', 'family', 'subject', 'audience', 'freeze'] as const

export const MAX_STATE_BYTES = 16_384
export const MAX_REVISION = 2 ** 48 - 1

export const COUNT_BYTES = 2
export const TOKEN_BYTES = 23
export const ID_BYTES = 16
export const GENERATION_BYTES = 4
export const TIME_BYTES = 6
export const MAX_GENERATION = 2 ** 32 - 1

/** Whether an event can carry this text as the id of a node instance. */
export const isNodeName = (text: string): boolean =>
  text.length > 0 && text.length <= MAX_NAME_LENGTH
