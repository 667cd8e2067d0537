/**
 * Parses columns of PostgreSQL independent of the process-wide parsers (`pg.types.setTypeParser`).
 *
 * @module
 */
import { invalidOption } from '../../lib/invalid.js'

/** The type parsers that `pg` requests for each column of a result. */
export interface PostgresParsers {
  getTypeParser(type: number, format?: string): (content: never) => unknown
}

// https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
const BOOL = 16
const BYTEA = 17

const BY_TYPE: Readonly<Record<number, (text: string) => unknown>> = {
  [BOOL]: (text) => text === 't',
  [BYTEA]: bytesOf,
}

/** Numbers as their digits, `bytea` as a buffer, booleans as such, and everything else as text. */
export const PARSERS: PostgresParsers = {
  getTypeParser: (type, format) => (format === 'binary' ? refuseBinary : (BY_TYPE[type] ?? String)),
}

// `pg` converts a received value to text first, which corrupts binary values. Throwing here rejects the query.
function refuseBinary(): never {
  throw invalidOption(
    'pool',
    'expected one without `binary: true` (of the pool, or of pg.defaults), with which pg misreads numbers and bytes',
  )
}

// https://www.postgresql.org/docs/current/datatype-binary.html
function bytesOf(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  const unescaped = text.replace(/\\(\\|[0-7]{3})/g, (_, code: string) =>
    code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8)),
  )
  return Buffer.from(unescaped, 'latin1')
}
