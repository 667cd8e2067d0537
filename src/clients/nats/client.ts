/**
 * The used part of the caller's own JetStream client, and the meaning of its errors.
 *
 * @module
 */

/** The result of `jetstream(connection)` of `@nats-io/jetstream` 3. */
export interface JetStreamClient {
  readonly consumers: { getConsumerFromInfo(info: never): Consumer }
  publish(
    subject: string,
    payload?: Uint8Array,
    options?: { readonly expect?: Expectation; readonly msgID?: string },
  ): Promise<{ readonly seq: number }>
  jetstreamManager(checkAPI?: boolean): Promise<JetStreamManager>
}

/** The conditions that the server checks before it stores a message. */
export interface Expectation {
  readonly streamName: string
  readonly lastSequence?: number
  /** The id of the last message. */
  readonly lastMsgID?: string
}

/** The result of `jetstreamManager()`. */
export interface JetStreamManager {
  readonly streams: {
    info(name: string, options?: { readonly subjects_filter: string }): Promise<StreamInfo>
    add(config: object): Promise<unknown>
    purge(
      name: string,
      options: { readonly seq: number } | { readonly filter: string },
    ): Promise<unknown>
    deleteMessage(name: string, seq: number, erase?: boolean): Promise<unknown>
    getMessage(
      name: string,
      query: { readonly seq: number } | { readonly last_by_subj: string },
    ): Promise<StoredMessage | null>
  }
  readonly consumers: {
    add(stream: string, config: object): Promise<{ readonly name: string }>
    delete(stream: string, name: string): Promise<unknown>
  }
}

/** A stream, as its leader sees it. */
export interface StreamInfo {
  readonly created: string
  readonly config: object
  readonly state: {
    readonly messages: number
    readonly bytes: number
    readonly first_seq: number
    readonly last_seq: number
    /** RFC 3339, to the nanosecond. */
    readonly last_ts: string
    readonly subjects?: Readonly<Record<string, number>>
  }
}

/** A message requested by its number. */
export interface StoredMessage {
  readonly seq: number
  /** RFC 3339, to the nanosecond. */
  readonly timestamp: string
  readonly data: Uint8Array
}

/** A message that a consumer delivers. */
export interface DeliveredMessage {
  readonly seq: number
  readonly data: Uint8Array
  readonly info: { readonly deliverySequence: number }
}

/** A pull consumer. */
export interface Consumer {
  fetch(options: {
    readonly max_messages: number
    readonly expires: number
  }): Promise<Messages & AsyncIterable<DeliveredMessage>>
  consume(options: {
    readonly expires: number
    readonly idle_heartbeat: number
    readonly abort_on_missing_resource: true
    readonly callback: (message: DeliveredMessage) => void
  }): Promise<Messages>
}

/** The messages in flight of a consumer. */
export interface Messages {
  close(): Promise<unknown>
  /** Resolves when no more messages will arrive, with the error if there was one. */
  closed(): Promise<unknown>
  status(): AsyncIterable<{ readonly type: string }>
}

/** The status of the connection. Every client so far has it, although its types omit it. */
export interface ConnectionStatus extends AsyncIterable<{ readonly type: string }> {
  stop?(): void
}

/** The events of the client's connection, which report its loss at once; `undefined` if unavailable. */
export function connectionStatus(js: JetStreamClient): ConnectionStatus | undefined {
  const { getConnection } = js as { getConnection?: () => { status?: () => ConnectionStatus } }
  return getConnection?.call(js).status?.()
}

const DEFAULT_MAX_PAYLOAD = 1024 * 1024

/** The server's maximum length of a message, in bytes. */
export function maxPayload(js: JetStreamClient): number {
  const { getConnection } = js as {
    getConnection?: () => { readonly info?: { readonly max_payload?: number } }
  }
  return getConnection?.call(js).info?.max_payload ?? DEFAULT_MAX_PAYLOAD
}

// https://github.com/nats-io/nats-server/blob/main/server/errors.json
const STREAM_NOT_FOUND = 10059
const STREAM_STORE_FAILED = 10077
const WRONG_LAST = [10070, 10071, 10164]

/** Whether the stream does not exist. */
export function isStreamMissing(error: unknown): boolean {
  return codeOf(error) === STREAM_NOT_FOUND
}

/** Whether the server could not create the files of a new stream. */
export function isStoreFailed(error: unknown): boolean {
  return codeOf(error) === STREAM_STORE_FAILED
}

/** Whether another client wrote to the stream first. */
export function isConflict(error: unknown): boolean {
  return WRONG_LAST.includes(codeOf(error))
}

/** Whether no stream listens on the subject, so nothing was stored. */
export function isUnheard(error: unknown): boolean {
  return error instanceof Error && error.name === 'JetStreamNotEnabled'
}

/** Whether the client refused to send a message of that length. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof Error && error.message.includes('max_payload')
}

function codeOf(error: unknown): number {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return typeof code === 'number' ? code : 0
}
