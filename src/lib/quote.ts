/**
 * Callers' values in error messages: names are quoted, and possible secrets are described by kind and length.
 *
 * @module
 */
import { strangenessOf } from './plain.js'

const MAX_QUOTED = 64
const PRINTABLE = /^[\p{L}\p{N}\p{P}\p{S} ]+$/u
// The headers of PASETO and PASERK, of JWTs and of PEM, anywhere in a text.
const SECRET_HEADER = /(?:^|[^a-z0-9])[vk]\d\.[a-z]|eyJ|-----|bearer /i
// A URL with a user name, and possibly a password, before its host.
const USER_INFO = /:\/\/.*@/
// Of a connection string or of JSON: `password=…`, `Pwd=…`, `"secret":…`. The scope `password:reset` is a name.
const CREDENTIAL = /(?:pass(?:word|wd|phrase)?|pwd|secret|token|key)(?:\s*=|["']\s*:)/i
// The user and the password before the network of a MySQL address: `app:…@tcp(db)`.
const USER_OF_NETWORK = /:.*@[a-z]+\(/i
const HEX = /[0-9a-f]{16}/i
const SECRETS = [SECRET_HEADER, USER_INFO, CREDENTIAL, USER_OF_NETWORK, HEX]
// A capital that begins a word has two small letters after it.
const BROKEN_WORD = /\p{Lu}(?!\p{Ll}{2})/gu

/**
 * Whether a text is a name and not a piece of a key or token. Names are short, printable and made of words; encoded
 * bytes mix cases and digits and have no word boundaries.
 */
export function isQuotable(text: string): boolean {
  if (text.length > MAX_QUOTED || !PRINTABLE.test(text) || !text.isWellFormed()) return false
  if (SECRETS.some((pattern) => pattern.test(text))) return false
  if (text.length < 16) return true
  if (/\p{Ll}/u.test(text) && /\p{Lu}/u.test(text)) {
    if (/\p{N}/u.test(text) || (text.match(BROKEN_WORD)?.length ?? 0) > 1) return false
  }
  return text.split(/[^\p{L}\p{N}]+/u).every((word) => word.length < 24)
}

/** A text for a message: quoted if it is a name, otherwise its kind and length. */
export function quote(text: string): string {
  if (isQuotable(text)) return `'${text}'`
  return `${kindOf(text)} of ${text.length} characters`
}

function kindOf(text: string): string {
  if (/^k\d\./.test(text)) return 'a key'
  if (/^(?:bearer )?(?:v\d\.|[a-z0-9_]+_[\w-]{90})/i.test(text)) return 'a token'
  return 'a string'
}

/** Any value for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty string' : quote(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value)
  if (Array.isArray(value)) return `a list of ${value.length}`
  return strangenessOf(value) ?? (typeof value === 'object' ? 'an object' : `a ${typeof value}`)
}

/** The type of a value that may hold a secret, such as a connection string with a password. */
export function describeKind(value: unknown): string {
  return typeof value === 'string' ? `a string of ${value.length} characters` : describe(value)
}

/** A path into an input, such as `policies.service.ttl`. */
export function pathText(path: readonly PropertyKey[]): string {
  const segment = (part: PropertyKey) => {
    const text = String(part)
    return isQuotable(text) ? text : `(${quote(text)})`
  }
  return path.map(segment).join('.')
}

const MAX_LISTED = 8

/** Names for a message: `(configured: service, session)`. */
export function listed(names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const shown = names.slice(0, MAX_LISTED).map((name) => (isQuotable(name) ? name : quote(name)))
  const more = names.length - shown.length
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/**
 * A suggestion if one name is similar or begins alike, ` (did you mean 'rootKey'?)`, otherwise all names: ` (allowed:
 * …)`.
 */
export function allowedNames(given: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  return suggestion(given, names) || ` (allowed: ${listed(names)})`
}

function suggestion(given: string, names: readonly string[]): string {
  const best = closest(given, names) ?? continued(given, names)
  return best === undefined ? '' : ` (did you mean '${best}'?)`
}

// The only name that begins with the given one, except for its last letter: `subject` for `sub`, `policies` for `policy`.
function continued(given: string, names: readonly string[]): string | undefined {
  const start = given.toLowerCase().slice(0, Math.max(3, given.length - 1))
  const found = names.filter((name) => name.toLowerCase().startsWith(start))
  return found.length === 1 ? found[0] : undefined
}

function closest(given: string, names: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(given.length / 4))
  let best: string | undefined
  let least = limit + 1
  for (const name of names) {
    const distance = given.length > MAX_QUOTED ? least : distanceOf(given, name)
    if (distance < least) [best, least] = [name, distance]
  }
  return best
}

// The Levenshtein distance, ignoring case, for text of a few dozen characters.
function distanceOf(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()]
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1
      const [above = 0, diagonal = 0, left = 0] = [row[j], row[j - 1], next[j - 1]]
      next.push(Math.min(above + 1, left + 1, diagonal + same))
    }
    row = next
  }
  return row[to.length] as number
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const

/** Milliseconds in the syntax of the options: `30d`, `90s`, `250ms`. */
export function durationText(ms: number): string {
  const unit = UNITS.find(([size]) => ms >= size && ms % size === 0)
  return unit === undefined ? `${ms}ms` : `${ms / unit[0]}${unit[1]}`
}
