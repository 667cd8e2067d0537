/**
 * Runs Lua scripts on the server: each is one atomic step, and every call to the database is one of them.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto'
import { WatchwordError } from '../../errors.js'
import type { Command } from './client.js'

/** A script and the name by which the server remembers it. */
export interface Script {
  readonly source: string
  readonly sha: string
}

/** The version of the data's layout that this library reads and writes. */
export const SCHEMA_VERSION = 2

/** The most rows that one call reads or writes: the server does nothing else meanwhile. */
export const BATCH = 1000

/** Names a script. */
export function defineScript(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/** The result of a script: the case and its values. */
export interface Reply {
  readonly tag: string
  readonly rest: readonly unknown[]
}

/** Runs a script with its arguments. */
export type Run<Argument = string> = (
  script: Script,
  ...args: readonly (string | Argument)[]
) => Promise<Reply>

/** Makes the function through which a store runs its scripts, until `isClosed`. */
export function scriptRunner(command: Command, prefix: string, isClosed: () => boolean): Run {
  // The braces put every key that begins with the prefix in one slot of a cluster. Scripts derive the names of all other
  // keys from this one, and so also follow a `keyPrefix` that the client puts before it.
  const run = callRunner(command, `{${prefix}}:schema`, () => {
    if (isClosed()) throw new Error('the redis store is closed')
  })
  return async (script, ...args) => {
    const reply = await run(script, ...args)
    if (reply.tag === 'schema') throw schemaError(textOf(reply.rest[0]))
    return reply
  }
}

/** Makes a function that runs scripts on the key `root`, after `check`, which throws once there is nothing to run. */
export function callRunner<Argument>(
  command: Command<Argument>,
  root: string,
  check: () => void,
): Run<Argument> {
  const caller = randomBytes(9).toString('base64url')
  let calls = 0
  return async (script, ...args) => {
    check()
    const call = `${caller}${++calls}`
    const reply = await evaluate(command, script, root, [call, ...args])
    // A connection that is out of step returns another caller's reply: each reply identifies its request.
    if (!Array.isArray(reply) || textOf(reply[0]) !== call)
      throw new Error('redis answered something else than what was asked')
    return { tag: textOf(reply[1]), rest: reply.slice(2) }
  }
}

async function evaluate<Argument>(
  command: Command<Argument>,
  { sha, source }: Script,
  root: string,
  args: readonly (string | Argument)[],
): Promise<unknown> {
  try {
    return await command(root, ['EVALSHA', sha, '1', root, ...args])
  } catch (error) {
    // The server drops scripts on a restart, a failover or SCRIPT FLUSH. Nothing was run then.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return command(root, ['EVAL', source, '1', root, ...args])
  }
}

function schemaError(found: string): WatchwordError {
  if (found === '') {
    return new WatchwordError(
      'ERR_STORE_SCHEMA',
      'the redis store was not opened, or its data are gone since it was',
    )
  }
  return new WatchwordError(
    'ERR_STORE_SCHEMA',
    'the data in redis were written by a newer version of this library',
    { detail: `found schema ${found}, this version knows ${SCHEMA_VERSION}` },
  )
}

/** A reply as text: clients can be configured to return integers as numbers, and texts as buffers. */
export function textOf(reply: unknown): string {
  if (typeof reply === 'string') return reply
  if (Buffer.isBuffer(reply)) return reply.toString('utf8')
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply)
  throw new Error('redis answered something that is no text')
}
