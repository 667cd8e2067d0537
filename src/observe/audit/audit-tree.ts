/**
 * The tree of the audit: the compact range of a Merkle tree whose leaves cover when each row was written, so that a
 * checkpoint proves the time of a row whose content was purged.
 *
 * Leaves that an earlier version appended cover the body only. They are the first ones of a tree, and each later leaf
 * covers their number: otherwise an attacker could pass a later row off as one of them, and remove its time.
 *
 * @module
 */
import { isTimed } from './seals.js'
import { CompactRange, leafHash } from './tree.js'

/** What a leaf is computed from. */
export interface LeafSource {
  readonly at: number
  /** The hash of the body, in hexadecimal; of a row of an earlier version its leaf hash. */
  readonly hash: string
}

/** A growing tree of rows. */
export class AuditTree extends CompactRange {
  #untimed: number | undefined

  /** @param untimed - The number of rows of earlier versions; `undefined` if all of them are. */
  constructor(size = 0, hashes: readonly Uint8Array[] = [], untimed?: number) {
    super(size, hashes)
    this.#untimed = untimed
  }

  /** The number of rows of earlier versions, whose leaves cover no time. */
  get untimed(): number {
    return this.#untimed ?? this.size
  }

  override copy(): AuditTree {
    return new AuditTree(this.size, this.hashes, this.#untimed)
  }

  /** Appends a row. */
  appendRow({ at, hash }: LeafSource): void {
    this.#untimed ??= this.size
    this.append(leafHash(`${this.#untimed}:${at}:${hash}`))
  }

  /** Appends a row that is stored with this place. */
  appendStored({ place, ...source }: LeafSource & { readonly place: string }): void {
    if (isTimed(place)) this.appendRow(source)
    else this.append(Buffer.from(source.hash, 'hex'))
  }
}
