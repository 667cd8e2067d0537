/**
 * Runs Lua scripts on the server. Every call to the database is a script, and each script is one atomic step.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto'
import { WatchwordError } from '../../errors.js'
import { closedError } from '../../lib/closed-adapter.js'
import type { Command } from './client.js'

/** A script and the hash by which the server caches it. */
export interface Script {
  readonly source: string
  readonly sha: string
}

/** The version of the data layout that this library reads and writes. */
export const SCHEMA_VERSION = 2

/** The maximum number of rows that one call reads or writes: the server runs nothing else during a script. */
export const BATCH = 1000

/** Hashes a script. */
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

/** Creates the function with which a store runs its scripts, until `isClosed`. */
export function scriptRunner(command: Command, prefix: string, isClosed: () => boolean): Run {
  // The braces put all keys of the prefix into one slot of a cluster. Scripts derive the names of the other keys from
  // this one, which includes a `keyPrefix` of the client.
  const run = callRunner(command, `{${prefix}}:schema`, () => {
    if (isClosed()) throw closedError('the redis store')
  })
  return async (script, ...args) => {
    const reply = await run(script, ...args)
    if (reply.tag === 'schema') throw schemaError(textOf(reply.rest[0]))
    return reply
  }
}

/** Creates a function that runs scripts on the key `root`, after `check`, which throws when the adapter is closed. */
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
    // A desynchronised connection returns the reply of another request, so each reply identifies its request.
    if (!Array.isArray(reply) || textOf(reply[0]) !== call)
      throw new Error('redis returned the reply of another request')
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
    // The server drops scripts on a restart, a failover or SCRIPT FLUSH, and then runs nothing.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return command(root, ['EVAL', source, '1', root, ...args])
  }
}

function schemaError(found: string): WatchwordError {
  if (found === '') {
    return new WatchwordError(
      'ERR_STORE_SCHEMA',
      'the redis store was not opened, or its data was lost since then',
    )
  }
  return new WatchwordError(
    'ERR_STORE_SCHEMA',
    'the data in redis was written by a newer version of this library: update the library',
    { detail: `found schema ${found}, this version knows ${SCHEMA_VERSION}` },
  )
}

/** A reply as text: clients can be configured to return integers as numbers, and texts as buffers. */
export function textOf(reply: unknown): string {
  if (typeof reply === 'string') return reply
  if (Buffer.isBuffer(reply)) return reply.toString('utf8')
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply)
  throw new Error('redis returned a reply that is not text')
}
