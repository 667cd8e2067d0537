/**
 * Checks the server before the feed uses it.
 *
 * @module
 */

import { type AtStake, checkEviction } from '../../clients/redis/eviction.js'
import type { BinaryCommand } from '../../clients/redis/feed-client.js'
import { oldServer } from '../../clients/redis/options.js'
import { defineScript, type Run, textOf } from '../../clients/redis/script.js'
import { WatchwordError } from '../../errors.js'
import { withReason } from '../../lib/failure-reason.js'
import type { Durability } from '../feed.js'

// Without `#!lua`, which an older server rejects as a syntax error instead of reporting its version. Hosted servers
// allow INFO even if they block CONFIG. The script reads INFO on the node that has the data.
const OPEN = defineScript(`
if (redis.REDIS_VERSION_NUM or 0) < 458752 then return { ARGV[1], 'old' } end
local function ask(section, field)
  local info = redis.pcall('INFO', section)
  return type(info) == 'string' and string.match(info, field .. ':([%w%-]+)') or ''
end
return { ARGV[1], ask('replication', 'role'), ask('memory', 'maxmemory_policy'), ask('persistence', 'aof_enabled') }
`)

const AT_STAKE: AtStake = {
  data: 'revocations',
  name: 'the log',
  volatile: 'volatile policies spare it, since it has no expiry',
}

/** Rejects if the server is too old, is a replica, or may evict keys. Returns what a write survives. Safe to repeat. */
export async function openFeed(
  run: Run<Buffer>,
  command: BinaryCommand,
  key: string,
  allowEviction: boolean,
): Promise<Durability> {
  const { tag, rest } = await run(OPEN)
  if (tag === 'old') throw oldServer()
  // A replica may still become the primary, so it is an outage and not an invalid option.
  if (tag === 'slave')
    throw withReason(
      new WatchwordError('ERR_FEED_UNAVAILABLE', 'client: expected the primary, not a replica'),
      'read_only',
    )
  if (!allowEviction) checkEviction(textOf(rest[0]), AT_STAKE)
  return textOf(rest[1]) === '0' ? 'process' : await durabilityOf(command, key)
}

// Only `always` writes to the disk before a write is acknowledged.
async function durabilityOf(command: BinaryCommand, key: string): Promise<Durability> {
  const reply = await command(key, ['CONFIG', 'GET', 'appendfsync']).catch(() => undefined)
  const policy = valueIn(reply)
  if (!Buffer.isBuffer(policy)) return 'unknown'
  return policy.toString() === 'always' ? 'fsync' : 'process'
}

/** The value in a reply with one name and one value: a list, or with RESP3 the client's form of a map. */
function valueIn(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply[1]
  if (reply instanceof Map) return [...reply.values()][0]
  return Object.values(reply ?? {})[0]
}
