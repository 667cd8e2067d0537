/**
 * Checks the server before the store uses it.
 *
 * @module
 */

import { type AtStake, evictionError, warnOfPolicy } from '../../clients/redis/eviction.js'
import { oldServer } from '../../clients/redis/options.js'
import { defineScript, type Run, SCHEMA_VERSION, textOf } from '../../clients/redis/script.js'

// Without `#!lua`, which an older server rejects as a syntax error instead of reporting its version. The script reads
// the policy from INFO, which hosted servers allow even if they block CONFIG, on the node that has the data.
const OPEN = defineScript(`
if (redis.REDIS_VERSION_NUM or 0) < 458752 then return { ARGV[1], 'old' } end
local info, policy = redis.pcall('INFO', 'memory'), ''
if type(info) == 'string' then policy = string.match(info, 'maxmemory_policy:([%w%-]+)') or '' end
if policy ~= '' and policy ~= 'noeviction' and ARGV[2] ~= 'allow' then
  return { ARGV[1], 'evicts', policy }
end
local schema = redis.call('GET', KEYS[1])
-- Version 2 only adds fields, which are read as missing in rows of version 1.
if not schema or schema == '1' then
  schema = '${SCHEMA_VERSION}'
  redis.call('SET', KEYS[1], schema)
end
if schema ~= '${SCHEMA_VERSION}' then return { ARGV[1], 'schema', schema } end
return { ARGV[1], 'ready', policy }
`)

const AT_STAKE: AtStake = {
  data: 'tokens, keys and revocations',
  name: 'the data',
  volatile: 'volatile policies spare them, since the store sets no expiry',
}

/** Rejects if the server is too old, may evict keys, or has data of a newer library. Safe to repeat. */
export async function openStore(run: Run, allowEviction: boolean): Promise<void> {
  const { tag, rest } = await run(OPEN, allowEviction ? 'allow' : '')
  if (tag === 'old') {
    throw oldServer()
  }
  if (tag === 'evicts') throw evictionError(textOf(rest[0]), AT_STAKE)
  if (textOf(rest[0]) === '' && !allowEviction) warnOfPolicy(AT_STAKE)
}
