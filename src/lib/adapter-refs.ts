/**
 * Adapters that several authorities of one process share: the last one to leave closes the door.
 *
 * @module
 */
const holders = new WeakMap<object, number>()

/** Notes that one more authority uses the adapter. */
export function holdAdapter(adapter: object): void {
  holders.set(adapter, (holders.get(adapter) ?? 0) + 1)
}

/** Notes that one authority is done with the adapter. Returns whether it was the last. */
export function releaseAdapter(adapter: object): boolean {
  const left = (holders.get(adapter) ?? 1) - 1
  if (left > 0) holders.set(adapter, left)
  else holders.delete(adapter)
  return left <= 0
}
