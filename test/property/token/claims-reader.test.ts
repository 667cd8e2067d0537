/** The positional reader against the general reader: it returns nothing, or the same result. */
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeUtf8 } from '../../../src/lib/utf8.js'
import { readClaims, type TokenClaims, writeClaims } from '../../../src/token/claims.js'
import { ClaimsReader } from '../../../src/token/claims-reader.js'
import { runs } from '../../support/runs.js'

const CROCKFORD = [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ']
const ulid = fc
  .tuple(
    fc.constantFrom(...'01234567'),
    fc.array(fc.constantFrom(...CROCKFORD), { minLength: 25, maxLength: 25 }),
  )
  .map(([first, rest]) => first + rest.join(''))
const plain = fc.constantFrom('https://auth.example', 'orders-api', 'svc_42', 'a', '~', ' ! ')
const strange = fc.oneof(
  fc.constantFrom('ä', 'a"b', 'a\\b', '\u007f', '\t'),
  fc.string({ minLength: 1, maxLength: 40 }),
)
const text = fc.oneof({ weight: 9, arbitrary: plain }, { weight: 1, arbitrary: strange })
const time = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) })
const count = fc.oneof(fc.nat(20), fc.maxSafeNat())
const scopes = fc.constantFrom([], ['orders:read'], ['orders:*', 'users:read'])
const custom = fc.oneof(
  fc.constant({}),
  fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue(), { maxKeys: 4 }),
)

interface Written {
  readonly bytes: Buffer
  readonly isPlain: boolean
}

const written: fc.Arbitrary<Written> = fc
  .record({
    issuer: text,
    subject: text,
    audience: text,
    expiresAt: time,
    issuedAt: time,
    notBefore: fc.option(time),
    id: ulid,
    scopes,
    policy: text,
    policyVersion: count,
    family: fc.option(ulid),
    generation: count,
    custom,
  })
  .filter(({ custom }) => !Object.keys(custom).some((key) => RESERVED.includes(key)))
  .filter(({ custom }) => JSON.stringify(custom).isWellFormed() && isExact(custom))
  .map(({ issuer, family, custom, ...claims }) => {
    const names = [issuer, claims.subject, claims.audience, claims.policy]
    const json = writeClaims(issuer, { ...claims, family: family ?? claims.id }, custom)
    const isPlain =
      names.every((name) => /^[ !#-[\]-~]+$/.test(name)) &&
      [claims.policyVersion, claims.generation].every((number) => number < 1e15) &&
      // Such keys come first in every object.
      !Object.keys(custom).some((key) => /^\d+$/.test(key))
    return { bytes: Buffer.from(json), isPlain }
  })

const RESERVED = [
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'scope',
  'pol',
  'ver',
  'fam',
  'gen',
]

/** Whether claims may hold the value: what would come back changed is refused when a token is issued. */
function isExact(value: unknown): boolean {
  if (typeof value === 'number')
    return !Object.is(value, -0) && (Number.isSafeInteger(value) || !Number.isInteger(value))
  if (typeof value !== 'object' || value === null) return true
  return !Object.hasOwn(value, '__proto__') && Object.values(value).every(isExact)
}

/** Bytes behind the payload in the heap must never matter: here they would complete a payload. */
function framed(bytes: Buffer, behind: string): Buffer {
  return Buffer.concat([bytes, Buffer.from(behind)])
}

function general(bytes: Buffer): TokenClaims | undefined {
  const json = decodeUtf8(bytes)
  return json === undefined ? undefined : readClaims(json)
}

const PIECES = ['"', '\\', ',', '}', '{', ':', ' ', '\n', '0', '-', '1e3', '\u0000', 'é', '\\u0061']

const edit = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(400), byte: fc.nat(255) }),
  // A digit or letter in place of another often leaves a payload that the reader accepts.
  fc.record({
    kind: fc.constant('set' as const),
    at: fc.nat(400),
    byte: fc.constantFrom(...Buffer.from('0159aez')),
  }),
  fc.record({
    kind: fc.constant('cut' as const),
    at: fc.nat(400),
    length: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({ kind: fc.constant('end' as const), at: fc.nat(400) }),
  fc.record({
    kind: fc.constant('put' as const),
    at: fc.nat(400),
    piece: fc.constantFrom(...PIECES),
  }),
  fc.record({ kind: fc.constant('swap' as const), from: fc.nat(12), to: fc.nat(12) }),
  fc.record({
    kind: fc.constant('add' as const),
    name: fc.constantFrom(...RESERVED, '__proto__', '\\u0069ss', ''),
    value: fc.constantFrom('"x"', '1', 'null', '{}', '{"a":{"a":1}}', '1e400', '"\\ud800"'),
  }),
)
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

function edited(bytes: Buffer, change: Edit): Buffer {
  const at = 'at' in change ? change.at % (bytes.length + 1) : 0
  if (change.kind === 'set')
    return Buffer.concat([bytes.subarray(0, at), Buffer.of(change.byte), bytes.subarray(at + 1)])
  if (change.kind === 'cut')
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)])
  if (change.kind === 'end') return bytes.subarray(0, at)
  if (change.kind === 'put')
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(change.piece), bytes.subarray(at)])
  const json = bytes.toString()
  if (change.kind === 'add')
    return Buffer.from(`${json.slice(0, -1)},"${change.name}":${change.value}}`)
  const members = json.slice(1, -1).split(/,(?=")/)
  const [from, to] = [change.from % members.length, change.to % members.length]
  const [moved = ''] = members.splice(from, 1)
  members.splice(to, 0, moved)
  return Buffer.from(`{${members.join(',')}}`)
}

describe('the positional reader', () => {
  it('reads everything that is written for plain ASCII names, as the general reader does', () => {
    const reader = new ClaimsReader()
    fc.assert(
      fc.property(written, ({ bytes, isPlain }) => {
        const expected = general(bytes)
        const claims = reader.read(bytes, bytes.length)
        if (isPlain) expect(claims).toBeDefined()
        if (claims !== undefined) expect(claims).toEqual(expected)
      }),
      { numRuns: runs(2000) },
    )
  })

  it('returns nothing, or the result of the general reader, for changed bytes', () => {
    const reader = new ClaimsReader()
    let read = 0
    fc.assert(
      fc.property(
        written,
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', '"', '}', '","sub":"', '0', 'Z"'),
        ({ bytes }, changes, behind) => {
          const changed = changes.reduce(edited, bytes)
          const claims = reader.read(framed(changed, behind), changed.length)
          if (claims === undefined) return
          read++
          expect(claims).toEqual(general(changed))
        },
      ),
      { numRuns: runs(20_000, 20_000) },
    )
    expect(read).toBeGreaterThan(100)
  })

  it('returns the same object for the same list of scopes, and the same custom claims for none', () => {
    const reader = new ClaimsReader()
    const [first, second] = ['0', '1'].map((end) => {
      const id = `01ARZ3NDEKTSV4RRFFQ69G5FA${end}`
      const shared = { policy: 'job', policyVersion: 1, family: id, generation: 0, notBefore: null }
      const names = { subject: 's', audience: 'api', id, scopes: ['a:b'] }
      const json = writeClaims('i', { ...names, ...shared, expiresAt: 2, issuedAt: 1 }, {})
      return reader.read(Buffer.from(json), json.length)
    })
    expect(first?.scopes).toBe(second?.scopes)
    expect(first?.custom).toBe(second?.custom)
    expect(first?.id).not.toBe(second?.id)
  })
})
