/**
 * The seals of the audit, made and opened with the keys of one authority.
 *
 * Each is a PASETO v4.local token under a key that is derived for tags, whose footer names the key it was derived from.
 * The tag of a row covers its id and body. The place of a row contains its index, time and leaf hash, so that a row that
 * was edited or moved is recognized, and the state of the tree contains its compact range.
 *
 * @module
 */
import { PAE } from 'paseto'
import { copyPlaintext, decryptInto, sealBytes, wipePlaintext } from '../token/v4local.js'
import { footerOf } from '../token/wire.js'
import type { TagKeys } from './record-tagger.js'
import { keyIdOfTag } from './record-tags.js'

const HEADER = 'v4.local.'
const EMPTY = new Uint8Array(0)
const ROW = Buffer.from('watchword-audit-row-v1')
const PLACE = Buffer.from('watchword-audit-place-v1')
const STATE = Buffer.from('watchword-audit-state-v1')
const NUMBER_BYTES = 6
const HASH_BYTES = 32

/** What the place of a row contains. */
export interface AuditPlace {
  readonly index: number
  /** When the row was written. */
  readonly at: number
  /** The leaf hash, in hexadecimal. */
  readonly hash: string
}

/** What the state of the tree contains: its compact range. */
export interface AuditState {
  readonly size: number
  readonly hashes: readonly Uint8Array[]
}

/** Why a seal was not opened: made without the keys of the authority, or with a key that cannot be loaded any more. */
export type Unsealed = 'tampered' | 'unknown'

/** The seals of one authority. */
export class AuditTagger {
  readonly #keys: TagKeys

  constructor(keys: TagKeys) {
    this.#keys = keys
  }

  /** The tag of a row; `undefined` while no key is loaded. */
  tag(id: string, body: string): string | undefined {
    return this.#seal(EMPTY, [ROW, Buffer.from(id), Buffer.from(body)])
  }

  /** Checks the tag of a row. Never rejects. */
  async check(id: string, body: string, tag: string): Promise<'intact' | Unsealed> {
    const opened = await this.#open(tag, [ROW, Buffer.from(id), Buffer.from(body)])
    return typeof opened === 'string' ? opened : 'intact'
  }

  /** Seals the place of a row; `undefined` while no key is loaded. */
  place(id: string, { index, at, hash }: AuditPlace): string | undefined {
    const payload = Buffer.alloc(2 * NUMBER_BYTES + HASH_BYTES)
    payload.writeUIntBE(index, 0, NUMBER_BYTES)
    payload.writeUIntBE(at, NUMBER_BYTES, NUMBER_BYTES)
    payload.write(hash, 2 * NUMBER_BYTES, 'hex')
    return this.#seal(payload, [PLACE, Buffer.from(id)])
  }

  /** Opens the place of a row. Never rejects. */
  async openPlace(id: string, place: string): Promise<AuditPlace | Unsealed> {
    const opened = await this.#open(place, [PLACE, Buffer.from(id)])
    if (typeof opened === 'string') return opened
    return {
      index: opened.readUIntBE(0, NUMBER_BYTES),
      at: opened.readUIntBE(NUMBER_BYTES, NUMBER_BYTES),
      hash: opened.toString('hex', 2 * NUMBER_BYTES),
    }
  }

  /** Seals the state of the tree; `undefined` while no key is loaded. */
  state({ size, hashes }: AuditState): string | undefined {
    const payload = Buffer.alloc(NUMBER_BYTES + hashes.length * HASH_BYTES)
    payload.writeUIntBE(size, 0, NUMBER_BYTES)
    hashes.forEach((hash, i) => {
      payload.set(hash, NUMBER_BYTES + i * HASH_BYTES)
    })
    return this.#seal(payload, [STATE])
  }

  /** Opens the state of the tree. Never rejects. */
  async openState(state: string): Promise<AuditState | Unsealed> {
    const opened = await this.#open(state, [STATE])
    if (typeof opened === 'string') return opened
    const hashes: Uint8Array[] = []
    for (let at = NUMBER_BYTES; at < opened.length; at += HASH_BYTES)
      hashes.push(opened.subarray(at, at + HASH_BYTES))
    return { size: opened.readUIntBE(0, NUMBER_BYTES), hashes }
  }

  #seal(payload: Uint8Array, covered: readonly Uint8Array[]): string | undefined {
    const sealing = this.#keys.sealingIfAny()
    if (sealing === undefined) return undefined
    const footer = footerOf(sealing.id)
    const body = sealBytes(sealing.key, payload, footer, PAE([...covered]))
    return `${HEADER}${body}.${Buffer.from(footer).toString('base64url')}`
  }

  async #open(text: string, covered: readonly Uint8Array[]): Promise<Buffer | Unsealed> {
    const id = keyIdOfTag(text)
    if (id === undefined || !text.startsWith(HEADER)) return 'tampered'
    if (this.#keys.opening(id) === undefined) await this.#keys.refresh()
    const key = this.#keys.opening(id)
    if (key === undefined) return 'unknown'
    const footer = footerOf(id)
    const end = `.${Buffer.from(footer).toString('base64url')}`
    if (!text.endsWith(end)) return 'tampered'
    const length = decryptInto(
      key,
      text.slice(HEADER.length, -end.length),
      footer,
      PAE([...covered]),
    )
    if (length < 0) return 'tampered'
    const payload = Buffer.from(copyPlaintext(length))
    wipePlaintext()
    return payload
  }
}
