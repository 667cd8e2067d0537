/**
 * Signals that end what lasts: a watch, a subscription.
 *
 * @module
 */

/**
 * Does `work` with a controller that aborts with the first of `signals`. Nothing is left on them afterwards, though they
 * live as long as the process and this is called again and again.
 */
export async function withSignals(
  signals: readonly AbortSignal[],
  work: (stop: AbortController) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const abort = () => stop.abort()
  for (const signal of signals) {
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
  }
  try {
    await work(stop)
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', abort)
  }
}
