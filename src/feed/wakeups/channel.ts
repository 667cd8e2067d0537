/**
 * The contract of a push channel that is not a log.
 *
 * @module
 */

/** A push channel. It may lose messages, repeat, reorder or forge them: that costs latency, and nothing else. */
export interface WakeupChannel {
  /**
   * Sends a message of at most 64 KB to every subscriber. Rejections are ignored, and nothing is retried;
   * while too many sends are pending, further messages are not sent.
   */
  publish(message: Uint8Array): Promise<void> | void
  /**
   * Calls `onMessage` with every message, and may call it with an empty one where some may have been missed. Resolves or
   * rejects when the channel is gone, and soon after the signal aborts; it is called again then.
   */
  subscribe(onMessage: (message: Uint8Array) => void, signal: AbortSignal): Promise<void>
}
