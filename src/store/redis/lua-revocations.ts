/**
 * The scripts for revocations. A revocation is stored in one step, and from then on every script treats the tokens that
 * it covers as revoked. The rows are marked later in batches by any client, so no revocation blocks the server for
 * long.
 *
 * @module
 */

import { BATCH, defineScript } from '../../clients/redis/script.js'
import { AUDIT } from './lua-audit.js'
import { plain, REGISTERS, vital } from './lua-common.js'

/** The maximum number of registers of restrictions in a page of changes. */
const REGISTERS_PAGE = 100

const SETTLE_BATCH = `
local LISTS = { family = 'family', subject = 'subject', key = 'keyId', audience = 'audience' }

local function listOf(revocation)
  if revocation.kind == 'token' then return key('tokens-by-family', revocation.family) end
  local field = LISTS[revocation.kind]
  if field then return key('tokens-by-' .. field, revocation.value) end
  return key('tokens')
end

-- Marks a batch of the rows that the oldest pending revocations cover. Returns whether there are more.
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

/**
 * Stores a revocation and marks a first batch of rows. Arguments: the record, then the rows of the audit. Returns
 * `settled` or `more`, and the number of live rows marked so far.
 */
export const REVOKE = defineScript(
  vital(`
${AUDIT}
${SETTLE_BATCH}
local revocation, flat = pairsAt(2)
local id, kind, value = revocation.id, revocation.kind, revocation.value
if redis.call('EXISTS', key('revocation', id)) == 0 then
  audit()
  redis.call('HSET', key('revocation', id), unpack(flat))
  redis.call('ZADD', key('revocations'), 0, id)
  redis.call('ZADD', key('expiry-of-revocations'), revocation.expiresAt, id)
  redis.call('ZADD', key('cover', kind .. ':' .. value), revocation.before, id)
  arrive('r', id)
  local family = kind == 'token' and revocation.generation and revocation.family
  if family then redis.call('ZADD', key('cover-successors', family), revocation.generation, id) end
  if kind == 'key' and redis.call('EXISTS', key('key', value)) == 1 then
    redis.call('HSETNX', key('key', value), 'revokedAt', revocation.at)
  end
  -- Must come first: the list of pending revocations is read once per script.
  if kind ~= 'token' or family then redis.call('RPUSH', key('pending'), id) end
  if kind == 'token' then
    local row = storedToken(value)
    if row and not row.broken and not row.revokedAt then mark(row, deadBy(row) or revocation) end
  end
end
local state = settle()
return { ARGV[1], state, redis.call('HGET', key('revocation', id), 'matched') or '0' }
`),
)

/**
 * Marks a batch of the remaining rows. Argument: the id of a revocation. Returns `settled` or `more`, and the number of
 * live rows that this revocation has marked so far.
 */
export const SETTLE = defineScript(
  vital(`
${SETTLE_BATCH}
local state = settle()
return { ARGV[1], state, redis.call('HGET', key('revocation', ARGV[2]), 'matched') or '0' }
`),
)

/**
 * Reads a page of changes. Arguments: the number of the last change read, the last score and member read, the page
 * size. Without arguments, returns the start position.
 *
 * Returns `page`, the next position in the same three parts, whether there is more, the revocations, the tokens, the
 * registers of restrictions.
 */
export const CHANGES = defineScript(
  vital(`${REGISTERS}
local list, last = key('changes'), tonumber(redis.call('GET', key('change')) or '0')
local function newest()
  local top = redis.call('ZRANGE', list, 0, 0, 'REV', 'WITHSCORES')
  return tostring(last), top[2] or '0', top[1] or ''
end
local revocations, tokens, registers = {}, {}, {}
local function page(number, score, member, more)
  return { ARGV[1], 'page', number, score, member, more and '1' or '0', revocations, tokens, registers }
end
if ARGV[2] == '' then
  local number, score, member = newest()
  return page(number, score, member, false)
end

local from, witness = tonumber(ARGV[2]), ARGV[4]
-- The last change of the cursor is missing or older: it was purged, or the server was restored from a backup.
local at = witness ~= '' and redis.call('ZSCORE', list, witness)
if from > last or (witness ~= '' and not (at and tonumber(at) >= tonumber(ARGV[3]))) then from = 0 end
local limit = tonumber(ARGV[5])
local found = redis.call('ZRANGE', list, '(' .. from, '+inf', 'BYSCORE', 'LIMIT', 0, limit + 1, 'WITHSCORES')
local count = math.min(#found / 2, limit)
for i = 1, count do
  local kind, id = string.sub(found[2 * i - 1], 1, 1), string.sub(found[2 * i - 1], 3)
  if kind == 'r' then
    local _, flat = readRow('revocation', id)
    revocations[#revocations + 1] = flat or { 'id', id }
  elseif kind == 'x' then
    local _, flat = register(id)
    if flat then registers[#registers + 1] = flat end
    -- A register may be large.
    if #registers == ${REGISTERS_PAGE} then
      count = i
      break
    end
  else
    local _, flat = token(id)
    if flat then tokens[#tokens + 1] = flat end
  end
end
if #found / 2 > count then
  return page(found[2 * count], found[2 * count], found[2 * count - 1], true)
end
local number, score, member = newest()
return page(number, score, member, false)
`),
)

/** Reads a page of revocations. Arguments: the id to begin after, the page size. */
export const LIST_REVOCATIONS = defineScript(
  plain(`
return readPage('revocations', 'revocation')
`),
)

/**
 * Removes a batch of revocations, except those with rows left to mark. Argument: the highest expiry to remove. Returns
 * `done` and the number removed.
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
    local target = redis.call('HMGET', key('revocation', id), 'kind', 'value', 'family')
    if target[3] then redis.call('ZREM', key('cover-successors', target[3]), id) end
    redis.call('ZREM', key('changes'), 'r:' .. id)
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
