/**
 * The schema of a store: tables and indexes from one model, by the version that added them.
 *
 * @module
 */

import { raw } from '../../clients/sql/statement.js'
import { AUDIT_COLUMNS, HEAD_COLUMNS } from './audit-columns.js'
import {
  CHANGED,
  type Column,
  KEY_COLUMNS,
  MATCHED,
  REVOCATION_COLUMNS,
  TOKEN_COLUMNS,
} from './columns.js'
import type { Tables } from './dialect.js'
import { RESTRICTION_TABLE } from './restriction-columns.js'
import { LIFE_COLUMNS, STATE_COLUMNS, USAGE_COLUMNS } from './usage-columns.js'

/** A table of one version of the schema. */
export interface TableModel {
  readonly name: string
  readonly columns: readonly Column<never>[]
  /** The columns of the primary key. Default: `id`. */
  readonly key?: string
  /** The unique lists of columns, in addition to the primary key. */
  readonly unique: readonly string[]
  /** The lists of columns, by the suffix of the index's name. */
  readonly indexes: Readonly<Record<string, string>>
}

const model = <T>(
  name: string,
  columns: readonly Column<T>[],
  unique: readonly string[],
  indexes: Readonly<Record<string, string>>,
): TableModel => ({
  name,
  columns: columns.filter(({ since }) => since === undefined) as readonly Column<never>[],
  unique,
  indexes,
})

/** A table to which a version of the schema adds columns and indexes. */
export interface Addition {
  readonly table: string
  readonly columns: readonly Column<never>[]
  readonly indexes: Readonly<Record<string, string>>
}

const addedIn = <T>(version: 2 | 3, columns: readonly Column<T>[]) =>
  columns.filter(({ since }) => since === version) as readonly Column<never>[]

/** Added in version 2: integrity tags, family limits, the reach of revocations, and the order of changes. */
export function additionsOfVersion2({ tokens, keys, revocations }: Tables): Addition[] {
  return [
    {
      table: tokens.text,
      columns: [...addedIn(2, TOKEN_COLUMNS), CHANGED],
      indexes: { changed: 'changed' },
    },
    { table: keys.text, columns: addedIn(2, KEY_COLUMNS), indexes: {} },
    {
      table: revocations.text,
      columns: [...addedIn(2, REVOCATION_COLUMNS), MATCHED, CHANGED],
      indexes: { family: 'family, generation', changed: 'changed' },
    },
  ]
}

/** Added in version 3: the details of tokens, and the indexes of the filters that came with them. */
export function additionsOfVersion3({ tokens }: Tables): Addition[] {
  return [
    {
      table: tokens.text,
      columns: addedIn(3, TOKEN_COLUMNS),
      indexes: { owner: 'owner, id', issuer: 'issued_by, id' },
    },
  ]
}

/** The tables that version 4 adds: usage, what was reported of it, and up to when its hours are closed. */
export function tablesOfVersion4({ usage, lives, states }: Tables): TableModel[] {
  return [
    {
      name: usage.text,
      columns: USAGE_COLUMNS,
      key: 'id, from_at, life',
      unique: [],
      indexes: { due: 'folded, ends_at, id' },
    },
    {
      name: lives.text,
      columns: LIFE_COLUMNS,
      key: 'life',
      unique: [],
      indexes: { ended: 'ended_at' },
    },
    { name: states.text, columns: STATE_COLUMNS, unique: [], indexes: {} },
  ]
}

/** The rows of the table of states. */
export const STATE_ROWS = '(0, 0)'

/** The tables that version 5 adds: the audit, and the head of its tree. */
export function tablesOfVersion5({ audit, heads }: Tables): TableModel[] {
  return [
    {
      name: audit.text,
      columns: AUDIT_COLUMNS,
      unique: [],
      // Few, because every change writes a row.
      indexes: { place: 'idx, id', token: 'token, id', subject: 'subject_hash, id' },
    },
    { name: heads.text, columns: HEAD_COLUMNS, unique: [], indexes: {} },
  ]
}

/** The rows of the table of heads. */
export const HEAD_ROWS = "(0, 0, '')"

/** The table that version 6 adds: the registers of restrictions. */
export function tablesOfVersion6({ restrictions }: Tables): TableModel[] {
  return [
    {
      name: restrictions.text,
      columns: RESTRICTION_TABLE,
      unique: [],
      indexes: { place: 'place', changed: 'changed', expiry: 'expires_at' },
    },
  ]
}

/** The tables of version 1. Later versions only add tables and nullable columns; this never changes. */
export function tablesOfVersion1({ tokens, keys, revocations }: Tables): TableModel[] {
  return [
    model(tokens.text, TOKEN_COLUMNS, [], {
      // Listing by any of these, in pages by id, walks one index.
      subject: 'subject_hash, id',
      family: 'family, id',
      policy: 'policy, id',
      audience: 'audience, id',
      key: 'key_id, id',
      // Counts the valid tokens of a holder without its invalid ones.
      holder: 'subject_hash, policy, expires_at',
      expiry: 'expires_at',
    }),
    model(keys.text, KEY_COLUMNS, ['audience, generation'], { expiry: 'expires_at' }),
    model(revocations.text, REVOCATION_COLUMNS, [], {
      target: 'kind, target, before_at',
      expiry: 'expires_at',
    }),
  ]
}

/** The tables of a prefix, with a qualifier such as a schema. */
export function tablesOf(prefix: string, qualifier = ''): Tables {
  const table = (name: string) => raw(`${qualifier}${prefix}${name}`)
  return {
    tokens: table('tokens'),
    keys: table('keys'),
    revocations: table('revocations'),
    arrivals: table('arrivals'),
    restrictions: table('restrictions'),
    usage: table('usage'),
    lives: table('usage_lives'),
    states: table('usage_state'),
    audit: table('audit'),
    heads: table('audit_head'),
    versions: table('schema'),
  }
}
