/**
 * The contract of a push channel that is not a log.
 *
 * @module
 */

/** A push channel. It may lose, repeat, reorder or forge messages, which affects only latency. */
export interface WakeupChannel {
  /**
   * Sends a message of at most 64 KB to every subscriber. Rejections are ignored and nothing is retried. While too many
   * sends are pending, further messages are dropped.
   */
  publish(message: Uint8Array): Promise<void> | void
  /**
   * Calls `onMessage` with every message, and with an empty one when some may have been missed. Resolves or rejects
   * when the channel is lost, and soon after the signal aborts; it is then called again.
   */
  subscribe(onMessage: (message: Uint8Array) => void, signal: AbortSignal): Promise<void>
}
