/**
 * Creates and checks the integrity tags of rows with the keys of one authority.
 *
 * @module
 */
import { restrictionName } from '../store/restriction-schema.js'
import type { RestrictionRecord } from '../store/restrictions.js'
import type { Revocation, TokenRecord } from '../store/store.js'
import type { LocalKey } from '../token/paserk.js'
import {
  areDetailsIntact,
  type DetailContent,
  isRecordIntact,
  isRestrictionIntact,
  isRevocationIntact,
  keyIdOfTag,
  type RecordContent,
  type RestrictionContent,
  type RevocationContent,
  tagOfDetails,
  tagOfRecord,
  tagOfRestriction,
  tagOfRevocation,
} from './record-tags.js'

/** The derived keys of tags, provided by a feed keyring for that purpose. */
export interface TagKeys {
  /** The current key for tags and the id of its source key; `undefined` if no key is loaded. */
  sealingIfAny(): { readonly id: string; readonly key: LocalKey } | undefined
  /** The tag key derived from the key with this id, if that is loaded. */
  opening(id: string): LocalKey | undefined
  /** Like `opening` for a key that must be loaded. Throws `ERR_NO_SIGNING_KEY`. */
  loaded(id: string): LocalKey
  /**
   * Reads the store for keys that are not loaded. Resolves with whether the last read succeeded: otherwise a key that is
   * missing may still be stored. Never rejects.
   */
  refresh(): Promise<boolean>
}

/** The result of a check: `unknown` if the key of the tag could not be loaded. */
export type Integrity = 'intact' | 'tampered' | 'unknown'

/** The tags of one authority. */
export class RecordTagger {
  readonly #keys: TagKeys

  /** @param keys - Derives the tag keys. */
  constructor(keys: TagKeys) {
    this.#keys = keys
  }

  /** Adds the tag to a token record, whose key must be loaded. Throws `ERR_NO_SIGNING_KEY`. */
  ofRecord<T extends RecordContent>(content: T): T & { readonly tag: string } {
    return { ...content, tag: tagOfRecord(this.#keys.loaded(content.keyId), content) }
  }

  /** Adds the hint and both tags to a new record, whose key must be loaded. Throws `ERR_NO_SIGNING_KEY`. */
  ofNewRecord(content: TokenRecord, hint: string): TokenRecord {
    const tag = tagOfRecord(this.#keys.loaded(content.keyId), content)
    const record = { ...content, hint, tag, detailsTag: '' }
    // The tag of the details covers the hint. Assigned, because a second copy would make issuing slower.
    record.detailsTag = this.ofDetails(record)
    return record
  }

  /** The tag of a token's details, whose key must be loaded; empty if there are none. Throws `ERR_NO_SIGNING_KEY`. */
  ofDetails(content: DetailContent & Pick<TokenRecord, 'keyId'>): string {
    return hasDetails(content) ? tagOfDetails(this.#keys.loaded(content.keyId), content) : ''
  }

  /**
   * Adds the tag to a revocation. Without a loaded key the tag is empty, because a missing key must not block a
   * revocation.
   */
  ofRevocation(content: RevocationContent): Revocation {
    const sealing = this.#keys.sealingIfAny()
    return { ...content, tag: sealing === undefined ? '' : tagOfRevocation(sealing, content) }
  }

  /** Adds the tag to a revision of a restriction. Without a loaded key the tag is empty, as for a revocation. */
  ofRestriction(content: RestrictionContent): RestrictionRecord {
    const sealing = this.#keys.sealingIfAny()
    return { ...content, tag: sealing === undefined ? '' : tagOfRestriction(sealing, content) }
  }

  /** Checks a token record. Loads its key if necessary; never rejects. */
  async checkRecord(record: TokenRecord): Promise<Integrity> {
    return this.#check(record.keyId, (key) => isRecordIntact(key, record))
  }

  /** Checks the details of a token record. Loads its key if necessary; never rejects. */
  async checkDetails(record: TokenRecord): Promise<Integrity> {
    if (record.detailsTag === '') return hasDetails(record) ? 'tampered' : 'intact'
    return this.#check(record.keyId, (key) => areDetailsIntact(key, record))
  }

  /** Checks a revocation. Loads the key that its tag names if necessary; never rejects. */
  async checkRevocation(revocation: Revocation): Promise<Integrity> {
    const id = keyIdOfTag(revocation.tag)
    if (id === undefined) return 'tampered'
    return this.#check(id, (key) => isRevocationIntact(key, revocation))
  }

  /** Checks a revision of a restriction, like {@link checkRevocation}. */
  async checkRestriction(row: RestrictionRecord): Promise<Integrity> {
    const id = keyIdOfTag(row.tag)
    if (id === undefined) return 'tampered'
    return this.#check(id, (key) => isRestrictionIntact(key, row))
  }

  async #check(
    id: string,
    isIntact: (key: ReturnType<TagKeys['loaded']>) => boolean,
  ): Promise<Integrity> {
    if (this.#keys.opening(id) === undefined) await this.#keys.refresh()
    const key = this.#keys.opening(id)
    if (key === undefined) return 'unknown'
    return isIntact(key) ? 'intact' : 'tampered'
  }
}

function hasDetails({ label, owner, purpose }: Omit<DetailContent, 'id' | 'hint'>): boolean {
  return label !== null || owner !== null || purpose !== null
}

/** Checks rows that were read and reports those that do not match their tags. Resolves with whether all match. */
export function rowInspector(
  tagger: RecordTagger,
  report: (target: 'token' | 'revocation' | 'restriction', id: string) => void,
): {
  revocation(row: Revocation): Promise<boolean>
  restriction(row: RestrictionRecord): Promise<Integrity>
  token(row: TokenRecord): Promise<boolean>
} {
  return {
    async revocation(row) {
      const integrity = await tagger.checkRevocation(row)
      // A key is discarded without a tag, because the keys that could create one may be lost.
      const isDiscard = row.kind === 'key' && row.tag === ''
      if (integrity === 'tampered' && !isDiscard) report('revocation', row.id)
      return integrity === 'intact'
    },
    async restriction(row) {
      const integrity = await tagger.checkRestriction(row)
      if (integrity === 'tampered') report('restriction', restrictionName(row))
      return integrity
    },
    async token(row) {
      const integrity = await tagger.checkRecord(row)
      if (integrity === 'tampered') report('token', row.id)
      return integrity === 'intact'
    },
  }
}
