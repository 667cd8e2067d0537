/**
 * Reads the identity and the clock of a Redis server.
 *
 * @module
 */
import { defineScript, type Reply, type Run, textOf } from './script.js'

// Without `#!lua` and keys: it reads no data, so both a feed and a store can run it.
const SERVER = defineScript(`
local info = redis.pcall('INFO', 'server')
local id = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local time = redis.call('TIME')
return { ARGV[1], 'server', id, time[1], time[2] }
`)

/** The id of the server; `undefined` if it does not report one. */
export async function redisIdentity<Text extends string | Buffer>(
  run: Run<Text>,
): Promise<string | undefined> {
  const id = textOf((await ask(run)).rest[0])
  return id === '' ? undefined : `redis:${id}`
}

/** The server's wall clock in Unix milliseconds. */
export async function redisNow(run: Run): Promise<number> {
  const { rest } = await ask(run)
  return Number(textOf(rest[1])) * 1000 + Math.floor(Number(textOf(rest[2])) / 1000)
}

function ask<Text extends string | Buffer>(run: Run<Text>): Promise<Reply> {
  return run(SERVER)
}
