/**
 * A queue in the order of due times: a binary heap whose items know their place, so that any of them can be removed or
 * given another time in logarithmic time.
 *
 * @module
 */

/** An item. Both fields belong to the queue while the item is in it. */
export interface Due {
  /** Unix milliseconds. Change it only with {@link DueQueue.set}. */
  dueAt: number
  /** The index in the heap; -1 while the item is in no queue. */
  place: number
}

/** A queue of items that are due at some time. */
export class DueQueue<Item extends Due> {
  readonly #items: Item[] = []

  /** The number of items. */
  get size(): number {
    return this.#items.length
  }

  /** The item that is due first, or `undefined` if there is none. */
  get first(): Item | undefined {
    return this.#items[0]
  }

  /** Every item, in no particular order, as a copy. */
  all(): readonly Item[] {
    return this.#items.slice()
  }

  /** Adds an item, or gives an item of this queue another time. */
  set(item: Item, dueAt: number): void {
    item.dueAt = dueAt
    if (item.place === -1) {
      item.place = this.#items.length
      this.#items.push(item)
    }
    this.#settle(item)
  }

  /** Removes an item. One that is not in the queue changes nothing. */
  remove(item: Item): void {
    const { place } = item
    if (place === -1) return
    item.place = -1
    const last = this.#items.pop() as Item
    if (last === item) return
    this.#put(last, place)
    this.#settle(last)
  }

  #settle(item: Item): void {
    this.#rise(item)
    this.#sink(item)
  }

  #rise(item: Item): void {
    while (item.place > 0) {
      const parent = this.#items[(item.place - 1) >> 1] as Item
      if (parent.dueAt <= item.dueAt) return
      this.#swap(item, parent)
    }
  }

  #sink(item: Item): void {
    for (;;) {
      const at = 2 * item.place + 1
      const left = this.#items[at]
      if (left === undefined) return
      const right = this.#items[at + 1]
      const child = right !== undefined && right.dueAt < left.dueAt ? right : left
      if (item.dueAt <= child.dueAt) return
      this.#swap(child, item)
    }
  }

  #swap(a: Item, b: Item): void {
    const place = a.place
    this.#put(a, b.place)
    this.#put(b, place)
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item
    item.place = place
  }
}
