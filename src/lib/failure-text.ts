/**
 * The message of an error that wraps the failure of an adapter or a key wrapper: the reason, and what to do.
 *
 * @module
 */
import { WatchwordError, type WatchwordErrorCode } from '../errors.js'
import { isClosedError } from './closed-adapter.js'
import { causesOf, type FailureReason, reasonOf, redisCodeOf } from './failure-reason.js'
import { fieldOf, isError, ownFieldOf, textFieldOf } from './foreign-value.js'
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

// The error of `redis` for a client that never connected, or that was closed.
const CLIENT_CLOSED = 'the client is not connected; call await client.connect() before it is used'

const CLOSED = 'it was closed, by its authority or a call to close(); create a new one'

// Above it, MySQL and MariaDB use the same numbers for different errors, and mysql2 knows only the names of MySQL.
const LAST_SHARED_ERRNO = 1899

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
  const short = `${name} failed`
  const message = `${short}: ${explanationOf(code, cause)}`
  return Object.defineProperty(new WatchwordError(code, message, { cause }), SHORT, {
    value: short,
  })
}

function explanationOf(code: WatchwordErrorCode, cause: unknown): string {
  if (causesOf(cause).some(isClosedError)) return CLOSED
  const reason = reasonOf(cause)
  const clue = clueOf(cause)
  if (clue === 'ClientClosedError') return `${reason} (${clue}); ${CLIENT_CLOSED}`
  const fix = code === 'ERR_ROOT_KEY' ? FIXES.unknown : FIXES[reason]
  return `${reason}${clue === '' ? '' : ` (${clue})`}; ${fix}`
}

/** The message of an error; for one of {@link failure}, without what its cause says in more detail. */
export function shortMessage(error: Error): string {
  const short = ownFieldOf(error, SHORT)
  return typeof short === 'string' ? short : textFieldOf(error, 'message')
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

function codeOf(error: Error): string | undefined {
  const [code, errno] = ['code', 'errno'].map((name) => fieldOf(error, name))
  const state = textFieldOf(error, 'sqlState')
  if (typeof errno === 'number' && errno > LAST_SHARED_ERRNO && /^[0-9A-Z]{5}$/.test(state))
    return `errno ${errno}, SQLSTATE ${state}`
  if (typeof code === 'number') return String(code)
  if (typeof code === 'string' && /^[A-Z0-9_]{3,40}$/.test(code) && isQuotable(code)) return code
  return redisCodeOf(error)
}

function addressOf(error: Error): string[] {
  // Node tries every address of a host name, and reports all failures in one error.
  const first = fieldOf(fieldOf(error, 'errors'), 0)
  const failed = isError(first) ? first : error
  const host = textFieldOf(failed, 'address') || textFieldOf(failed, 'hostname')
  const port = fieldOf(failed, 'port')
  if (!/^[\w.:/-]{1,100}$/.test(host)) return []
  return [typeof port === 'number' ? `${host}:${port}` : host]
}

// The name of a class says more than `Error`. node-redis leaves the `name` of its error classes at `Error`.
function nameOf(error: Error): string | undefined {
  const names = [error, fieldOf(error, 'constructor')].map((each) => textFieldOf(each, 'name'))
  return names.find((name) => name !== 'Error' && /^[A-Z][A-Za-z]{3,39}$/.test(name))
}
