/**
 * The checkpoints that a node has seen: the evidence against a tree that was cut, rolled back or replaced.
 *
 * @module
 */

/** The size and root of a tree. */
export interface SeenCheckpoint {
  readonly size: number
  /** 64 hexadecimal digits. */
  readonly root: string
  /** When this node saw it first, in Unix milliseconds: rows after it were appended later. */
  readonly seenAt?: number
}

// Thinned beyond this number, of 150 bytes each. The newer half stays: at one checkpoint a minute, that of 34 hours, so a
// daily verification finds a tail that was cut and that a new node has grown over between two reads of this one. The
// largest one, and each that the tree was once smaller than, always stay.
const MAX_RECENT = 4096
const MAX_PINNED = 64

/** The checkpoints that one node has seen. */
export class AuditWitness {
  readonly #pinned = new Map<string, SeenCheckpoint>()
  #recent: SeenCheckpoint[] = []
  #largest: SeenCheckpoint = { size: 0, root: '' }

  /** The largest checkpoint; of size 0 if there is none. */
  get largest(): SeenCheckpoint {
    return this.#largest
  }

  /** Every remembered checkpoint, by ascending size. */
  get seen(): readonly SeenCheckpoint[] {
    return [...this.#recent, ...this.#pinned.values()].sort((a, b) => a.size - b.size)
  }

  /** Remembers a checkpoint. */
  see(checkpoint: SeenCheckpoint): void {
    const { size, root } = checkpoint
    if (size === 0 || this.#recent.some((known) => known.size === size && known.root === root))
      return
    // Nodes publish in any order, so a smaller checkpoint proves nothing yet. But the tree may have been cut, and may
    // soon be larger again, with other rows.
    const known = this.#recent.find((each) => each.size === size)
    if (size < this.#largest.size) this.#pin(this.#largest)
    if (known !== undefined) this.#pin(known)
    this.#recent.push(checkpoint)
    if (size > this.#largest.size) this.#largest = checkpoint
    if (this.#recent.length > MAX_RECENT) this.#thin()
  }

  #pin(checkpoint: SeenCheckpoint): void {
    if (this.#pinned.size < MAX_PINNED)
      this.#pinned.set(`${checkpoint.size} ${checkpoint.root}`, checkpoint)
  }

  // Every second one of the older half goes, so old ones are ever further apart.
  #thin(): void {
    this.#recent.sort((a, b) => a.size - b.size)
    this.#recent = this.#recent.filter((_, i) => i >= MAX_RECENT / 2 || i % 2 === 0)
  }
}
