/**
 * Combines abort signals for long-running work, such as a watch or a subscription.
 *
 * @module
 */

/**
 * Runs `work` with a controller that aborts with the first of `signals`. Removes its listeners afterwards, because the
 * signals live as long as the process and this runs repeatedly.
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
