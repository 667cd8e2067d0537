/**
 * The kinds of text that are no token, each made from real tokens so that no two are alike.
 *
 * @module
 */

/** One kind: what it is called, how ours must refuse it, and how it is made. */
export interface Kind {
  readonly name: string
  readonly code: 'malformed' | 'too_long' | 'invalid'
  readonly make: (token: string) => string
}

const middle = (token: string, text: string): string => {
  const at = token.length >> 1
  return token.slice(0, at) + text + token.slice(at + text.length)
}

const HEADER = 'v4.local.'
const body = (token: string): string => token.slice(HEADER.length, token.lastIndexOf('.'))

/** The mix, in equal parts. */
export const MALFORMED: readonly Kind[] = [
  { name: 'no token at all', code: 'malformed', make: (token) => token.slice(40, 60) },
  { name: 'a JWT', code: 'malformed', make: (token) => `eyJhbGciOiJIUzI1NiJ9.${token.slice(9)}` },
  { name: 'other version', code: 'malformed', make: (token) => `v3${token.slice(2)}` },
  { name: 'other purpose', code: 'malformed', make: (token) => `v4.public.${token.slice(9)}` },
  { name: 'cut short', code: 'malformed', make: (token) => token.slice(0, 60) },
  { name: 'no footer', code: 'malformed', make: (token) => token.slice(0, token.lastIndexOf('.')) },
  { name: 'padded', code: 'malformed', make: (token) => `${token}=` },
  {
    name: 'foreign footer',
    code: 'malformed',
    make: (token) => `${HEADER}${body(token)}.${token.slice(20, 60)}`,
  },
  { name: 'foreign letter', code: 'invalid', make: (token) => middle(token, '!') },
  { name: 'third dot', code: 'malformed', make: (token) => `${token}.${token.slice(20, 40)}` },
  { name: 'too long', code: 'too_long', make: (token) => token.padEnd(5000, token) },
]
