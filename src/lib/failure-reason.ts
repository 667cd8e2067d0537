/**
 * The kind of an adapter's failure, from the error codes of the clients that the adapters use.
 *
 * @module
 */
import { fieldOf, isError, ownFieldOf, textFieldOf } from './foreign-value.js'

/** Why an adapter fails, for programs. */
export type FailureReason =
  /** There is no connection, or the server is starting, shutting down or failing over. */
  | 'unreachable'
  /** No response arrived in time. */
  | 'timeout'
  /** The credentials are wrong, or lack a permission. */
  | 'denied'
  /** The server accepts no writes: a replica, a sealed stream, a read-only database. */
  | 'read_only'
  /** The disk, the memory or a quota is exhausted, or the server cannot write to its disk. */
  | 'full'
  /** The message exceeds a limit of the server or the client. */
  | 'too_large'
  /** The database, the tables or the streams do not exist, or are newer than this library. */
  | 'missing'
  /** The data read was not written by a node of this authority, or was damaged. */
  | 'corrupt'
  /** Any other reason; see the message. */
  | 'unknown'

type Known = Exclude<FailureReason, 'unknown'>

/** Error codes and names by failure reason. */
type Table<K> = ReadonlyMap<K, Known>

function tableOf<K>(values: Partial<Record<Known, readonly K[]>>): Table<K> {
  const entries = Object.entries(values) as [Known, readonly K[]][]
  return new Map(entries.flatMap(([reason, keys]) => keys.map((key) => [key, reason] as const)))
}

// The codes of Node, and of clients that follow its naming.
const CODES = tableOf<string>({
  unreachable: [
    ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT'],
    ...['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'PROTOCOL_CONNECTION_LOST'],
  ],
  timeout: ['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'PROTOCOL_SEQUENCE_TIMEOUT'],
  denied: ['EACCES', 'EPERM'],
  read_only: ['EROFS'],
  full: ['ENOSPC', 'EDQUOT'],
  missing: ['ERR_STORE_SCHEMA'],
  corrupt: ['ERR_STORE_CORRUPT'],
})

// SQLSTATE, or its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
const SQL_STATES = tableOf<string>({
  unreachable: ['08', '53300', '57P01', '57P02', '57P03'],
  timeout: ['55P03', '57014', '57P05'],
  denied: ['28', '42501'],
  read_only: ['25006'],
  full: ['53100', '53200', '53400'],
  too_large: ['54'],
  missing: ['3D000', '3F000', '42P01', '42703'],
  corrupt: ['XX001', 'XX002'],
})

// https://mariadb.com/kb/en/mariadb-error-codes/
const MYSQL_NUMBERS = tableOf<number>({
  unreachable: [1040, 1053, 1129, 1203, 1927],
  timeout: [1205, 1969, 3024],
  denied: [1044, 1045, 1095, 1130, 1142, 1143, 1227, 1370, 1396, 1698, 1820, 1862, 3118, 4151],
  read_only: [1036, 1290, 1792, 1836],
  full: [1021, 1037, 1038, 1041, 1114],
  too_large: [1153, 1301],
  missing: [1049, 1054, 1146],
  corrupt: [1033, 1034, 1194, 1195],
})

// https://github.com/nats-io/nats-server/blob/main/server/errors.json
const NATS_NUMBERS = tableOf<number>({
  unreachable: [10004, 10008, 10009, 10041, 10118],
  read_only: [10109],
  full: [10002, 10023, 10026, 10027, 10028, 10047],
  too_large: [10054, 10097],
  missing: [10035, 10039, 10059, 10076],
})

// The first words of Redis error replies.
const REDIS_CODES = tableOf<string>({
  unreachable: ['LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'NOREPLICAS', 'TRYAGAIN', 'UNBLOCKED'],
  timeout: ['BUSY'],
  denied: ['NOPERM', 'NOAUTH', 'WRONGPASS', 'DENIED'],
  read_only: ['READONLY'],
  full: ['OOM', 'MISCONF'],
  corrupt: ['WRONGTYPE'],
})

// https://www.sqlite.org/rescode.html, by number and, as in most clients, by name.
const SQLITE_NUMBERS = tableOf<number>({
  timeout: [5, 6],
  denied: [3, 23],
  read_only: [8],
  full: [7, 13],
  too_large: [18],
  missing: [14],
  corrupt: [11, 26],
})
const SQLITE_NAMES = tableOf<string>({
  timeout: ['BUSY', 'LOCKED'],
  denied: ['PERM', 'AUTH'],
  read_only: ['READONLY'],
  full: ['NOMEM', 'FULL'],
  too_large: ['TOOBIG'],
  missing: ['CANTOPEN'],
  corrupt: ['CORRUPT', 'NOTADB'],
})

// Errors of clients that have a name and no code.
const NAMES = tableOf<string>({
  unreachable: [
    ...[
      'MaxRetriesPerRequestError',
      'ClientClosedError',
      'ClientOfflineError',
      'DisconnectsClientError',
    ],
    ...[
      'SocketClosedUnexpectedlyError',
      'ConnectionError',
      'ClosedConnectionError',
      'NoResponders',
    ],
    ...['DrainingConnectionError', 'ReconnectStrategyError', 'ClusterAllFailedError'],
  ],
  timeout: ['TimeoutError', 'ConnectionTimeoutError', 'SocketTimeoutError', 'CommandTimeoutError'],
  denied: ['PermissionViolationError', 'AuthorizationError', 'UserAuthenticationExpiredError'],
  missing: ['JetStreamNotEnabled'],
})

// Errors that are recognizable only by their text.
const TEXTS: readonly (readonly [RegExp, Known])[] = [
  [
    /user executing the script can't|ACL failure in script|permissions violation|authorization violation/i,
    'denied',
  ],
  [
    /maximum (?:bytes|messages) (?:per subject )?exceeded|no space left|errno: 28|error 28 /i,
    'full',
  ],
  [/max_payload/, 'too_large'],
  [/^no such (?:table|column)/, 'missing'],
  [
    /Connection is closed|isn't writeable|Connection terminated|Can't add new command/i,
    'unreachable',
  ],
  [/connection timeout|timeout exceeded when trying to connect/i, 'timeout'],
]

// A registered symbol, because the ESM and the CommonJS copy of the package may run in one process.
const REASON = Symbol.for('watchword.failure')
const MAX_CAUSES = 5

/** Attaches a failure reason to an error. Returns the error. */
export function withReason<E extends Error>(error: E, reason: Known): E {
  return Object.defineProperty(error, REASON, { value: reason })
}

/** An error and its causes, at most five of them: causes may be circular. */
export function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = []
  for (let each = error; isError(each) && causes.length < MAX_CAUSES; each = fieldOf(each, 'cause'))
    causes.push(each)
  return causes
}

/** The kind of a failure, from the error or the first of its causes that identifies one. */
export function reasonOf(error: unknown): FailureReason {
  for (const each of causesOf(error)) {
    const reason = ownReason(each) ?? reasonOfOne(each)
    if (reason !== undefined) return reason
  }
  return 'unknown'
}

function ownReason(error: Error): Known | undefined {
  const reason = ownFieldOf(error, REASON)
  return typeof reason === 'string' ? (reason as Known) : undefined
}

function reasonOfOne(error: Error): Known | undefined {
  return (
    reasonOfCode(error) ??
    REDIS_CODES.get(firstWord(error)) ??
    NAMES.get(textFieldOf(error, 'name')) ??
    // node-redis leaves the `name` of its error classes at `Error`.
    NAMES.get(textFieldOf(fieldOf(error, 'constructor'), 'name')) ??
    TEXTS.find(([pattern]) => pattern.test(textFieldOf(error, 'message')))?.[1]
  )
}

const firstWord = (error: Error): string =>
  /^[A-Z]+\b/.exec(textFieldOf(error, 'message'))?.[0] ?? ''

/** The code of an error reply of Redis, if it is one of those above. */
export function redisCodeOf(error: Error): string | undefined {
  const word = firstWord(error)
  return REDIS_CODES.has(word) ? word : undefined
}

function reasonOfCode(error: Error): Known | undefined {
  const [code, errno, errcode] = ['code', 'errno', 'errcode'].map((name) => fieldOf(error, name))
  if (typeof errno === 'number' && textFieldOf(error, 'sqlState') !== '')
    return MYSQL_NUMBERS.get(errno)
  // The low byte is the primary code.
  if (typeof errcode === 'number') return SQLITE_NUMBERS.get(errcode & 0xff)
  if (typeof code === 'number') return NATS_NUMBERS.get(code)
  if (typeof code !== 'string') return undefined
  const [, name] = /^SQLITE_([A-Z]+)/.exec(code) ?? []
  if (name !== undefined) return SQLITE_NAMES.get(name)
  return CODES.get(code) ?? (isSqlState(code) ? stateReason(code) : undefined)
}

function isSqlState(code: string): boolean {
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(code)
}

function stateReason(code: string): Known | undefined {
  return SQL_STATES.get(code) ?? SQL_STATES.get(code.slice(0, 2))
}
