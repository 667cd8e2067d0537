import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatChallenge } from '../../src/http/challenge.js'

/** Parses a challenge per RFC 9110, section 11.2; `undefined` for an invalid one. */
function read(challenge: string): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  let rest = challenge.replace(/^Bearer ?/, '')
  while (rest !== '') {
    const found = /^([a-z_]+)="((?:[^"\\]|\\.)*)"(?:, |$)/.exec(rest)
    if (found === null) return undefined
    const [whole, name = '', value = ''] = found
    if (name in params) return undefined
    params[name] = value.replace(/\\(.)/g, '$1')
    rest = rest.slice(whole.length)
  }
  return params
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\r', '\n', ',', ' ', '=', 'a', 'é', '\0', '\t') }),
)
const field = fc.option(hostile, { nil: undefined })

describe('a challenge', () => {
  it('is one line of ASCII that contains exactly its parameters, for any values', () => {
    const names = ['realm', 'error', 'error_description', 'scope', 'resource_metadata'] as const
    const record = fc.record(Object.fromEntries(names.map((name) => [name, field])))
    fc.assert(
      fc.property(record, (given) => {
        const params = Object.fromEntries(
          Object.entries(given).filter(([, value]) => value !== undefined),
        ) as Record<string, string>
        const challenge = formatChallenge(params)
        expect(challenge).toMatch(/^[ -~]*$/)
        const expected = Object.fromEntries(
          Object.entries(params).map(([name, value]) => [name, value.replace(/[^ -~]/g, '?')]),
        )
        expect(read(challenge)).toEqual(expected)
        // A header that Node refuses to send would be a 500 for every client.
        expect(() => new Headers({ 'www-authenticate': challenge })).not.toThrow()
      }),
      { numRuns: 2000 },
    )
  })

  it('leaves out parameters that are not given', () => {
    expect(formatChallenge({})).toBe('Bearer')
    expect(formatChallenge({ realm: 'orders' })).toBe('Bearer realm="orders"')
    expect(formatChallenge({ realm: 'a', error: 'invalid_token' })).toBe(
      'Bearer realm="a", error="invalid_token"',
    )
  })
})
