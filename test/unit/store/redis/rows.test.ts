import { describe, expect, it } from 'vitest'
import {
  keyArgs,
  keyOf,
  revocationArgs,
  revocationOf,
  tokenArgs,
  tokenOf,
} from '../../../../src/store/redis/rows.js'
import { fixtures, HOUR, NOW } from '../../../../src/testkit/store/fixtures.js'

const make = fixtures('rows')

/** The reply with the hash that the arguments of a script write. */
const replyOf = ([count, ...pairs]: readonly string[]) => {
  expect(Number(count)).toBe(pairs.length)
  return pairs
}

/** The reply with one field changed, or left out if it is `undefined`. */
function changed(reply: readonly string[], name: string, value?: string): string[] {
  const at = reply.indexOf(name)
  return reply.toSpliced(at, 2, ...(value === undefined ? [] : [name, value]))
}

describe('a record as a Redis hash', () => {
  it('is read as it was written, with and without the optional fields', () => {
    const full = make.token({
      successor: make.id(),
      revokedAt: 0,
      revokedReason: 'é\n',
      scopes: [],
    })
    for (const token of [make.token(), full, make.token({ rotatable: false })])
      expect(tokenOf(replyOf(tokenArgs(token)))).toEqual(token)
    for (const key of [make.key(), make.key({ revokedAt: NOW })])
      expect(keyOf(replyOf(keyArgs(key)))).toEqual(key)
    const revocation = make.revocation('token', make.id(), { family: make.id(), generation: 0 })
    expect(revocationOf(replyOf(revocationArgs(revocation)))).toEqual(revocation)
  })

  it('has the values of rows from before a field existed where that is missing', () => {
    const token = make.token({ ttl: 5, rotatable: false })
    let reply = replyOf(tokenArgs(token))
    for (const name of ['tag', 'ttl', 'rotatable']) reply = changed(reply, name)
    expect(tokenOf(reply)).toEqual({ ...token, tag: '', ttl: HOUR, rotatable: true })
  })

  it('lacks a required field that is missing, so that the core rejects it', () => {
    const reply = changed(replyOf(tokenArgs(make.token())), 'subject')
    expect(tokenOf(reply)).toMatchObject({ subject: undefined, audience: 'api' })
  })

  it('passes on a value that it cannot read, so that the core rejects only that record', () => {
    const reply = replyOf(tokenArgs(make.token()))
    for (const [name, value] of [
      ['generation', '1e3'],
      ['generation', '-1'],
      ['rotatable', 'yes'],
      ['scopes', '[orders'],
    ] as const)
      expect(tokenOf(changed(reply, name, value))).toMatchObject({ [name]: value })
  })

  it('is not read from a reply that is not a list', () => {
    for (const reply of [null, 'OK', 7])
      expect(() => tokenOf(reply)).toThrow('redis returned a reply that is not a row')
  })
})
