/**
 * Warnings for developers, with `process.emitWarning`: each mistake once per process.
 *
 * @module
 */
import { types } from 'node:util'
import { durationText } from './quote.js'

const given = new Map<string, Set<string>>()

/** The most warnings of one code: a client may cause any number of different mistakes. */
const MAX_WARNINGS = 8

interface Occasion {
  /** What distinguishes mistakes of one code from each other. */
  readonly about?: string
  readonly detail?: string
}

/** Warns once per process about each mistake of this code, at most eight times. */
export function warnOnce(
  code: string,
  message: string,
  { about = '', detail }: Occasion = {},
): void {
  const known = given.get(code) ?? new Set()
  if (known.has(about) || known.size >= MAX_WARNINGS) return
  given.set(code, known.add(about))
  const extra = detail === undefined ? {} : { detail }
  process.emitWarning(message, { type: 'WatchwordWarning', code, ...extra })
}

/** Whether this process runs tests, where in-memory data is intended. */
export function isTestRun(): boolean {
  const { NODE_ENV, VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT } = process.env
  return (
    NODE_ENV === 'test' ||
    [VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT].some((each) => each !== undefined)
  )
}

const MINUTE_MS = 60_000

/**
 * Warns if a number of milliseconds is probably a number of seconds: a round number of minutes as seconds, but not as
 * milliseconds.
 */
export function warnOfSeconds(value: unknown): void {
  if (typeof value !== 'number' || value < 60 || value % 60 !== 0 || value % MINUTE_MS === 0) return
  if (value % 1000 === 0 && value < MINUTE_MS) return
  warnOnce(
    'WATCHWORD_MILLISECONDS',
    `the duration ${value} is in milliseconds (${value / 1000} s): write '${durationText(value * 1000)}' if seconds are meant, or '${value}ms'`,
    { about: String(value) },
  )
}

let isDevelopment: boolean | undefined

/**
 * Warns, once for each kind of mistake and never in production, about a value that contains a token but is not one. The
 * value is still rejected as `malformed`.
 */
export function hintAtMistake(token: unknown): void {
  isDevelopment ??= process.env['NODE_ENV'] !== 'production'
  if (!isDevelopment) return
  const mistake = mistakeIn(token)
  if (mistake !== undefined) warnOnce(mistake.code, mistake.message)
}

interface Mistake {
  readonly code: string
  readonly message: string
}

/** The mistake and its fix for a value that contains a token but is not one; `undefined` for any other value. */
export function mistakeIn(token: unknown): Mistake | undefined {
  try {
    if (typeof token === 'string') return mistakeInText(token)
    return typeof token === 'object' && token !== null ? mistakeInObject(token) : undefined
  } catch {
    // A getter or a proxy of the caller may throw, but verification never does.
    return undefined
  }
}

function mistakeInText(token: string): Mistake | undefined {
  if (/^bearer\s/i.test(token)) {
    return {
      code: 'WATCHWORD_BEARER',
      message:
        "the token begins with 'Bearer ': pass the token alone, or guard the route with requireToken, which reads the header",
    }
  }
  if (!/^\s|\s$/.test(token)) return undefined
  return {
    code: 'WATCHWORD_WHITESPACE',
    message:
      'the token begins or ends with white space, such as the line break at the end of a file: pass token.trim()',
  }
}

function mistakeInObject(token: object): Mistake | undefined {
  if (types.isProxy(token)) return undefined
  if (types.isPromise(token)) {
    const message = 'the token is a promise: await it before it is passed'
    return { code: 'WATCHWORD_PROMISE', message }
  }
  if (typeof (token as { token?: unknown }).token !== 'string') return undefined
  return {
    code: 'WATCHWORD_ISSUED',
    message:
      'the token is the whole object that issue() or rotate() returned: pass its property `token`',
  }
}
