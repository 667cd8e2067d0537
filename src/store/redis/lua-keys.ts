/**
 * The scripts over wrapped keys.
 *
 * @module
 */

import { BATCH, defineScript } from '../../clients/redis/script.js'
import { AUDIT } from './lua-audit.js'
import { plain } from './lua-common.js'

/**
 * Inserts a key. Arguments: the record, then the rows of the audit. Returns `inserted`, or `taken` if its audience has
 * that generation.
 */
export const INSERT_KEY = defineScript(
  plain(`${AUDIT}
local row, flat = pairsAt(2)
local generations = key('generations', row.audience)
if redis.call('EXISTS', key('key', row.id)) == 1 or redis.call('HGET', generations, row.generation) then
  return { ARGV[1], 'taken' }
end
audit()
redis.call('HSET', generations, row.generation, row.id)
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

/**
 * Replaces a key's wrapping. Arguments: its id, the wrapping expected, the new one, the id of its root key, then the rows
 * of the audit.
 */
export const REWRAP_KEY = defineScript(
  plain(`${AUDIT}
local name = key('key', ARGV[2])
if redis.call('HGET', name, 'wrapped') ~= ARGV[3] then return { ARGV[1], 'other' } end
audit()
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
