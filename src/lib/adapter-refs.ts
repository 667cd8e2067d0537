/**
 * Reference counts of adapters shared by several authorities of one process: the last authority
 * closes the adapter.
 *
 * @module
 */
const holders = new WeakMap<object, number>()

/** Adds a reference to the adapter. */
export function holdAdapter(adapter: object): void {
  holders.set(adapter, (holders.get(adapter) ?? 0) + 1)
}

/** Removes a reference to the adapter. Returns whether it was the last. */
export function releaseAdapter(adapter: object): boolean {
  const left = (holders.get(adapter) ?? 1) - 1
  if (left > 0) holders.set(adapter, left)
  else holders.delete(adapter)
  return left <= 0
}
