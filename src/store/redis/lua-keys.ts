/**
 * The scripts over wrapped keys.
 *
 * @module
 */

import { BATCH, defineScript } from '../../clients/redis/script.js'
import { plain } from './lua-common.js'

/** Inserts a key. Argument: the record. Returns `inserted`, or `taken` if its audience has that generation. */
export const INSERT_KEY = defineScript(
  plain(`
local row, flat = pairsAt(2)
if redis.call('EXISTS', key('key', row.id)) == 1 then return { ARGV[1], 'taken' } end
if redis.call('HSETNX', key('generations', row.audience), row.generation, row.id) == 0 then
  return { ARGV[1], 'taken' }
end
redis.call('HSET', key('key', row.id), unpack(flat))
redis.call('ZADD', key('keys'), 0, row.id)
redis.call('ZADD', key('expiry-of-keys'), row.expiresAt, row.id)
return { ARGV[1], 'inserted' }
`),
)

/** Reads a page of keys. Arguments: the id to begin after, the page size. */
export const LIST_KEYS = defineScript(
  plain(`
return readPage('keys', 'key')
`),
)

/** Replaces a key's wrapping. Arguments: its id, the wrapping expected, the new one, the id of its root key. */
export const REWRAP_KEY = defineScript(
  plain(`
local name = key('key', ARGV[2])
if redis.call('HGET', name, 'wrapped') ~= ARGV[3] then return { ARGV[1], 'other' } end
redis.call('HSET', name, 'wrapped', ARGV[4], 'wrappedBy', ARGV[5])
return { ARGV[1], 'done' }
`),
)

/** Removes a batch of keys. Argument: the highest expiry to remove. Returns `done` and the number removed. */
export const PURGE_KEYS = defineScript(
  plain(`
local ids = redis.call('ZRANGE', key('expiry-of-keys'), '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, ${BATCH})
for _, id in ipairs(ids) do
  local row = redis.call('HMGET', key('key', id), 'audience', 'generation')
  if row[1] and row[2] then redis.call('HDEL', key('generations', row[1]), row[2]) end
  redis.call('ZREM', key('keys'), id)
  redis.call('ZREM', key('expiry-of-keys'), id)
  redis.call('DEL', key('key', id))
end
return { ARGV[1], 'done', #ids }
`),
)
