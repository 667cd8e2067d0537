/**
 * The message of an error that wraps the failure of an adapter or a key wrapper: the reason, and what to do.
 *
 * @module
 */
import { WatchwordError, type WatchwordErrorCode } from '../errors.js'
import { causesOf, type FailureReason, reasonOf, redisCodeOf } from './failure-reason.js'
import { isQuotable } from './quote.js'

const FIXES: Readonly<Record<FailureReason, string>> = {
  unreachable: 'check that the server runs and that its address is right',
  timeout: 'check the load of the server and the network to it',
  denied: 'check the credentials and the rights of the account',
  read_only: 'connect to the primary, which accepts writes',
  full: 'make space on the server, or raise its limits',
  too_large: 'raise the limit of the server or of the client',
  missing: 'create the database or the stream, and call migrate() of an SQL adapter',
  corrupt: 'restore the data, which only this library may write',
  unknown: 'see `cause`',
}

interface Clues {
  readonly code?: unknown
  readonly address?: unknown
  readonly hostname?: unknown
  readonly port?: unknown
  readonly errors?: unknown
}

// A registered symbol, because the ESM and the CommonJS copy of the package may run in one process.
const SHORT = Symbol.for('watchword.failure.short')

/**
 * The error for a failure of `name`. Texts of drivers may contain credentials and values of rows, so the message has
 * only the reason, the code and the address.
 */
export function failure<C extends WatchwordErrorCode>(
  code: C,
  name: string,
  cause: unknown,
): WatchwordError<C> {
  const reason = reasonOf(cause)
  const clue = clueOf(cause)
  const fix = code === 'ERR_ROOT_KEY' ? FIXES.unknown : FIXES[reason]
  const short = `${name} failed`
  const message = `${short}: ${reason}${clue === '' ? '' : ` (${clue})`}; ${fix}`
  return Object.defineProperty(new WatchwordError(code, message, { cause }), SHORT, {
    value: short,
  })
}

/** The message of an error; for one of {@link failure}, without what its cause says in more detail. */
export function shortMessage(error: Error): string {
  const short: unknown = Object.hasOwn(error, SHORT) ? Reflect.get(error, SHORT) : undefined
  return typeof short === 'string' ? short : error.message
}

/** The code and the address of the first cause that has a code, or the name of the first that has one. */
function clueOf(cause: unknown): string {
  const causes = causesOf(cause)
  for (const each of causes) {
    const code = codeOf(each)
    if (code !== undefined) return [code, ...addressOf(each)].join(' ')
  }
  return causes.map(nameOf).find((name) => name !== undefined) ?? ''
}

function codeOf(error: Error & Clues): string | undefined {
  const { code } = error
  if (typeof code === 'number') return String(code)
  if (typeof code === 'string' && /^[A-Z0-9_]{3,40}$/.test(code) && isQuotable(code)) return code
  return redisCodeOf(error)
}

function addressOf(error: Error & Clues): string[] {
  // Node tries every address of a host name, and reports all failures in one error.
  const first: unknown = Array.isArray(error.errors) ? error.errors[0] : undefined
  const { address, hostname, port } = (first instanceof Error ? first : error) as Clues
  const host = address ?? hostname
  if (typeof host !== 'string' || !/^[\w.:/-]{1,100}$/.test(host)) return []
  return [typeof port === 'number' ? `${host}:${port}` : host]
}

// The name of a class says more than `Error`. node-redis leaves the `name` of its error classes at `Error`.
function nameOf(error: Error): string | undefined {
  const names = [error.name, error.constructor.name]
  return names.find((name) => name !== 'Error' && /^[A-Z][A-Za-z]{3,39}$/.test(name))
}
