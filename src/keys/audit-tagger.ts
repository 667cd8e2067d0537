/**
 * The seals of the audit, made and opened with the keys of one authority.
 *
 * Each is a PASETO v4.local token under a key that is derived for tags, whose footer names the key it was derived from.
 * The tag of a row covers its id and body. The place of a row contains its index, time, hash and a hash of its tag, so
 * that a row that was edited or moved is recognized, and the state of the tree contains its compact range. Both contain
 * the number of rows of earlier versions, whose own seals do not, and which are opened as they were made.
 *
 * @module
 */
import { hash } from 'node:crypto'
import { PAE } from 'paseto'
import {
  type AuditPlace,
  type AuditSeals,
  type AuditState,
  isTimed,
  TIMED,
  type Unsealed,
} from '../observe/audit/seals.js'
import { copyPlaintext, decryptInto, sealBytes, wipePlaintext } from '../token/v4local.js'
import { footerOf } from '../token/wire.js'
import type { TagKeys } from './record-tagger.js'
import { keyIdOfTag } from './record-tags.js'

const HEADER = 'v4.local.'
const EMPTY = new Uint8Array(0)
const ROW = Buffer.from('watchword-audit-row-v1')
const PLACES = purposes('watchword-audit-place')
const STATES = purposes('watchword-audit-state')
const NUMBER_BYTES = 6
const HASH_BYTES = 32
const TAG_HASH_BYTES = 16
const TAG_HASH_AT = 2 * NUMBER_BYTES + HASH_BYTES
const UNTIMED_AT = TAG_HASH_AT + TAG_HASH_BYTES
const PLACE_BYTES = UNTIMED_AT + NUMBER_BYTES
// A search through more of them would take longer than reading the id.
const MAX_ENDINGS = 8

/** The purposes of a seal: of an earlier version, and of this one. */
type Purposes = readonly [earlier: Uint8Array, timed: Uint8Array]

function purposes(name: string): Purposes {
  return [Buffer.from(`${name}-v1`), Buffer.from(`${name}-v2`)]
}

/** The token of a seal. */
const tokenOf = (seal: string): string => (isTimed(seal) ? seal.slice(TIMED.length) : seal)

/** What every seal of one key ends with. */
interface Ending {
  readonly footer: Uint8Array
  readonly text: string
}

/** The seals of one authority. */
export class AuditTagger implements AuditSeals {
  readonly #keys: TagKeys
  /** By the id of a key that is or was loaded. */
  readonly #endings = new Map<string, Ending>()

  constructor(keys: TagKeys) {
    this.#keys = keys
  }

  /** The tag of a row; `undefined` while no key is loaded. */
  tag(id: string, body: string): string | undefined {
    return this.#seal(EMPTY, [ROW, Buffer.from(id), Buffer.from(body)])
  }

  /**
   * Loads the keys of these seals. Resolves with whether the keys that are missing then are lost, and not only out of
   * reach. Never rejects. Until then, seals of keys that are not loaded are `unknown`.
   */
  async load(seals: readonly string[]): Promise<boolean> {
    const isMissing = (seal: string) => {
      const id = this.#keyOf(seal)
      return id !== undefined && this.#keys.opening(id) === undefined
    }
    return !seals.some(isMissing) || (await this.#keys.refresh()) || !seals.some(isMissing)
  }

  /** Checks the tag of a row. */
  check(id: string, body: string, tag: string): 'intact' | Unsealed {
    const opened = this.#open(tag, [ROW, Buffer.from(id), Buffer.from(body)])
    return typeof opened === 'string' ? opened : 'intact'
  }

  /** Seals the place of a row; `undefined` while no key is loaded. */
  place(id: string, place: Required<AuditPlace>): string | undefined {
    const payload = Buffer.alloc(PLACE_BYTES)
    payload.writeUIntBE(place.index, 0, NUMBER_BYTES)
    payload.writeUIntBE(place.at, NUMBER_BYTES, NUMBER_BYTES)
    payload.write(place.hash, 2 * NUMBER_BYTES, 'hex')
    payload.write(place.tagHash, TAG_HASH_AT, 'hex')
    payload.writeUIntBE(place.untimed, UNTIMED_AT, NUMBER_BYTES)
    return this.#sealTimed(payload, [PLACES[1], Buffer.from(id)])
  }

  /** Opens the place of a row. */
  openPlace(id: string, place: string): AuditPlace | Unsealed {
    const opened = this.#openEither(place, PLACES, [Buffer.from(id)])
    if (typeof opened === 'string') return opened
    return {
      index: opened.readUIntBE(0, NUMBER_BYTES),
      at: opened.readUIntBE(NUMBER_BYTES, NUMBER_BYTES),
      hash: opened.toString('hex', 2 * NUMBER_BYTES, TAG_HASH_AT),
      tagHash: opened.toString('hex', TAG_HASH_AT, UNTIMED_AT),
      ...(isTimed(place) ? { untimed: opened.readUIntBE(UNTIMED_AT, NUMBER_BYTES) } : {}),
    }
  }

  /** The hash of a tag that a place contains. */
  tagHash(tag: string): string {
    return hash('sha256', tag, 'hex').slice(0, 2 * TAG_HASH_BYTES)
  }

  /** Seals the state of the tree; `undefined` while no key is loaded. */
  state({ size, untimed, hashes }: Required<AuditState>): string | undefined {
    const payload = Buffer.alloc(2 * NUMBER_BYTES + hashes.length * HASH_BYTES)
    payload.writeUIntBE(size, 0, NUMBER_BYTES)
    payload.writeUIntBE(untimed, NUMBER_BYTES, NUMBER_BYTES)
    hashes.forEach((each, i) => {
      payload.set(each, 2 * NUMBER_BYTES + i * HASH_BYTES)
    })
    return this.#sealTimed(payload, [STATES[1]])
  }

  /** Opens the state of the tree. */
  openState(state: string): AuditState | Unsealed {
    const opened = this.#openEither(state, STATES, [])
    if (typeof opened === 'string') return opened
    const hashes: Uint8Array[] = []
    const size = opened.readUIntBE(0, NUMBER_BYTES)
    const isOfTimed = isTimed(state)
    for (let at = (isOfTimed ? 2 : 1) * NUMBER_BYTES; at < opened.length; at += HASH_BYTES)
      hashes.push(opened.subarray(at, at + HASH_BYTES))
    if (!isOfTimed) return { size, hashes }
    return { size, hashes, untimed: opened.readUIntBE(NUMBER_BYTES, NUMBER_BYTES) }
  }

  #sealTimed(payload: Uint8Array, covered: readonly Uint8Array[]): string | undefined {
    const seal = this.#seal(payload, covered)
    return seal === undefined ? undefined : TIMED + seal
  }

  /** Opens a seal of this version or of an earlier one, by their purposes. */
  #openEither(
    seal: string,
    [earlier, timed]: Purposes,
    covered: readonly Uint8Array[],
  ): Buffer | Unsealed {
    return this.#open(tokenOf(seal), [isTimed(seal) ? timed : earlier, ...covered])
  }

  #seal(payload: Uint8Array, covered: readonly Uint8Array[]): string | undefined {
    const sealing = this.#keys.sealingIfAny()
    if (sealing === undefined) return undefined
    const { footer, text } = this.#endingOf(sealing.id)
    return `${HEADER}${sealBytes(sealing.key, payload, footer, PAE([...covered]))}${text}`
  }

  #open(seal: string, covered: readonly Uint8Array[]): Buffer | Unsealed {
    const id = this.#keyOf(seal)
    if (id === undefined || !seal.startsWith(HEADER)) return 'tampered'
    const key = this.#keys.opening(id)
    if (key === undefined) return 'unknown'
    const { footer, text } = this.#endingOf(id)
    if (!seal.endsWith(text)) return 'tampered'
    const body = seal.slice(HEADER.length, -text.length)
    const length = decryptInto(key, body, footer, PAE([...covered]))
    if (length < 0) return 'tampered'
    const payload = Buffer.from(copyPlaintext(length))
    wipePlaintext()
    return payload
  }

  /** The id of the key that a seal names. Compared with the known endings first, because most seals have one of them. */
  #keyOf(seal: string): string | undefined {
    for (const [id, { text }] of this.#endings) if (seal.endsWith(text)) return id
    return keyIdOfTag(tokenOf(seal))
  }

  #endingOf(id: string): Ending {
    const known = this.#endings.get(id)
    if (known !== undefined) return known
    const footer = footerOf(id)
    const ending = { footer, text: `.${Buffer.from(footer).toString('base64url')}` }
    if (this.#endings.size < MAX_ENDINGS) this.#endings.set(id, ending)
    return ending
  }
}
