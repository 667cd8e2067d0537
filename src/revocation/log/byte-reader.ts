/**
 * Reads the fields of a binary message in sequence. All numbers are big-endian.
 *
 * @module
 */
import { decodeUtf8 } from '../../lib/utf8.js'

/** A sequential reader. Except for `text`, the caller checks first that enough bytes remain. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Restarts from the first byte. */
  rewind(): void {
    this.#at = 0
  }

  /** Whether all bytes were read. */
  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Whether at least this many bytes remain. */
  has(count: number): boolean {
    return this.#at + count <= this.#bytes.length
  }

  /** One byte. */
  uint8(): number {
    return this.#view.getUint8(this.#at++)
  }

  /** Two bytes. */
  uint16(): number {
    this.#at += 2
    return this.#view.getUint16(this.#at - 2)
  }

  /** Four bytes. */
  uint32(): number {
    this.#at += 4
    return this.#view.getUint32(this.#at - 4)
  }

  /** Six bytes: a time in Unix milliseconds. */
  time(): number {
    this.#at += 6
    return this.#view.getUint16(this.#at - 6) * 2 ** 32 + this.#view.getUint32(this.#at - 4)
  }

  /** Sixteen bytes as four signed words. */
  words(into: Int32Array): void {
    for (let i = 0; i < 4; i++) into[i] = this.#view.getInt32(this.#at + 4 * i)
    this.#at += 16
  }

  /** UTF-8 text with a two-byte length prefix; `undefined` if it is too long, truncated or not valid UTF-8. */
  text(maxBytes: number): string | undefined {
    if (!this.has(2)) return undefined
    const length = this.uint16()
    if (length > maxBytes || !this.has(length)) return undefined
    const { buffer, byteOffset } = this.#bytes
    const text = decodeUtf8(Buffer.from(buffer, byteOffset + this.#at, length))
    this.#at += length
    return text
  }
}
