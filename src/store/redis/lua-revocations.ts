/**
 * The scripts over revocations. A revocation is kept in one step, and from then on every script sees what it covers as
 * dead. The rows are marked in batches afterwards, by whoever comes by, so that no revocation stops the server for long.
 *
 * @module
 */
import { plain, vital } from './lua-common.js'
import { BATCH, defineScript } from './script.js'

const SETTLE_BATCH = `
local LISTS = { family = 'family', subject = 'subject', key = 'keyId', audience = 'audience' }

local function listOf(revocation)
  local field = LISTS[revocation.kind]
  if field then return key('tokens-by-' .. field, revocation.value) end
  return key('tokens')
end

-- Marks a batch of the rows that the oldest pending revocations cover. Answers whether there are more.
local function settle()
  local left = ${BATCH}
  while left > 0 do
    local id = redis.call('LINDEX', key('pending'), 0)
    if not id then return 'settled' end
    local revocation = readRow('revocation', id) or { broken = true }
    local after = '(' .. (revocation.cursor or '')
    local ids = {}
    if not revocation.broken then
      ids = redis.call('ZRANGE', listOf(revocation), after, '+', 'BYLEX', 'LIMIT', 0, left)
    end
    for _, tokenId in ipairs(ids) do
      local row = storedToken(tokenId)
      local killer = row and not row.broken and deadBy(row)
      if killer then mark(row, killer) end
    end
    if #ids < left then
      redis.call('LPOP', key('pending'))
      if not revocation.broken then redis.call('HDEL', key('revocation', id), 'cursor') end
    else
      redis.call('HSET', key('revocation', id), 'cursor', ids[#ids])
    end
    left = left - math.max(#ids, 1)
  end
  return redis.call('EXISTS', key('pending')) == 1 and 'more' or 'settled'
end
`

/** Keeps a revocation and marks a first batch of rows. Argument: the record. Answers `settled` or `more`. */
export const REVOKE = defineScript(
  vital(`
${SETTLE_BATCH}
local revocation, flat = pairsAt(2)
local id, kind, value = revocation.id, revocation.kind, revocation.value
if redis.call('EXISTS', key('revocation', id)) == 0 then
  redis.call('HSET', key('revocation', id), unpack(flat))
  redis.call('ZADD', key('revocations'), 0, id)
  redis.call('ZADD', key('expiry-of-revocations'), revocation.expiresAt, id)
  redis.call('ZADD', key('cover', kind .. ':' .. value), revocation.before, id)
  if kind == 'key' and redis.call('EXISTS', key('key', value)) == 1 then
    redis.call('HSETNX', key('key', value), 'revokedAt', revocation.at)
  end
  if kind == 'token' then
    local row = storedToken(value)
    if row and not row.broken and not row.revokedAt then mark(row, deadBy(row) or revocation) end
    return { ARGV[1], 'settled' }
  end
  redis.call('RPUSH', key('pending'), id)
end
return { ARGV[1], settle() }
`),
)

/** Marks a batch of the rows that are left to mark. Answers `settled` or `more`. */
export const SETTLE = defineScript(
  vital(`
${SETTLE_BATCH}
return { ARGV[1], settle() }
`),
)

/** Reads a page of revocations. Arguments: the id to begin after, the most to answer. */
export const LIST_REVOCATIONS = defineScript(
  plain(`
return readPage('revocations', 'revocation')
`),
)

/**
 * Removes a batch of revocations, but none with rows left to mark. Argument: up to which expiry. Answers `done`, how many
 * were removed.
 */
export const PURGE_REVOCATIONS = defineScript(
  plain(`
local waiting = {}
for _, id in ipairs(redis.call('LRANGE', key('pending'), 0, -1)) do waiting[id] = true end
local ids = redis.call(
  'ZRANGE', key('expiry-of-revocations'), '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, ${BATCH})
local removed = 0
for _, id in ipairs(ids) do
  if not waiting[id] then
    local target = redis.call('HMGET', key('revocation', id), 'kind', 'value')
    redis.call('ZREM', key('cover', (target[1] or '') .. ':' .. (target[2] or '')), id)
    redis.call('ZREM', key('revocations'), id)
    redis.call('ZREM', key('expiry-of-revocations'), id)
    redis.call('DEL', key('revocation', id))
    removed = removed + 1
  end
end
return { ARGV[1], 'done', removed }
`),
)
