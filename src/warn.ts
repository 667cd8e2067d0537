/**
 * Warnings to the developer: each once per process, through `process.emitWarning`.
 *
 * @module
 */
import { types } from 'node:util'
import { durationText } from './quote.js'

const given = new Set<string>()

/** Warns once per process under this code. */
export function warnOnce(code: string, message: string): void {
  if (given.has(code)) return
  given.add(code)
  process.emitWarning(message, { type: 'WatchwordWarning', code })
}

/** Whether this process runs tests, in which what is kept in memory is meant to be. */
export function isTestRun(): boolean {
  const { NODE_ENV, VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT } = process.env
  return (
    NODE_ENV === 'test' ||
    [VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT].some((each) => each !== undefined)
  )
}

const MINUTE_MS = 60_000

/**
 * Warns when a number of milliseconds looks like a number of seconds: a round count of minutes as seconds, and not as
 * milliseconds.
 */
export function warnOfSeconds(value: unknown): void {
  if (typeof value !== 'number' || value < 60 || value % 60 !== 0 || value % MINUTE_MS === 0) return
  if (value % 1000 === 0 && value < MINUTE_MS) return
  warnOnce(
    'WATCHWORD_MILLISECONDS',
    `the duration ${value} is taken as milliseconds (${value / 1000} s): write '${durationText(value * 1000)}' if seconds are meant, or '${value}ms'`,
  )
}

let isDevelopment: boolean | undefined

/**
 * Warns, once for each kind of mistake and never in production, about a value that is no token but holds one. The value
 * is rejected as `malformed` all the same.
 */
export function hintAtMistake(token: unknown): void {
  isDevelopment ??= process.env['NODE_ENV'] !== 'production'
  if (!isDevelopment) return
  try {
    if (typeof token === 'string') hintAtText(token)
    else if (typeof token === 'object' && token !== null) hintAtObject(token)
  } catch {
    // A getter or a proxy of the caller: verification never throws.
  }
}

function hintAtText(token: string): void {
  if (/^bearer\s/i.test(token)) {
    warnOnce(
      'WATCHWORD_BEARER',
      "the token begins with 'Bearer ': pass the token alone, or guard the route with requireToken, which reads the header",
    )
  } else if (/^\s|\s$/.test(token)) {
    warnOnce(
      'WATCHWORD_WHITESPACE',
      'the token begins or ends with white space, such as the line break at the end of a file: pass token.trim()',
    )
  }
}

function hintAtObject(token: object): void {
  if (types.isProxy(token)) return
  if (types.isPromise(token)) {
    warnOnce('WATCHWORD_PROMISE', 'the token is a promise: await it before it is verified')
  } else if (typeof (token as { token?: unknown }).token === 'string') {
    warnOnce(
      'WATCHWORD_ISSUED',
      'the token is the whole object that issue() or rotate() returned: pass its property `token`',
    )
  }
}
