/**
 * The scripts for tokens. `ARGV[1]` names the call, and is the first element of the reply.
 *
 * @module
 */

import { BATCH, defineScript } from '../../clients/redis/script.js'
import { AUDIT } from './lua-audit.js'
import { growing, vital } from './lua-common.js'

/**
 * Inserts records, all or none. Arguments: the ceiling or nothing, `now`, the records, then the rows of the audit.
 *
 * Returns `inserted`, `limit`, or `again` after marking a batch of rows that would have been miscounted.
 */
export const INSERT_TOKENS = defineScript(
  growing(`${AUDIT}
local max, now, at = tonumber(ARGV[2]), ARGV[3], 4
local fresh = {}
while at < auditAt do
  local row, flat, after = pairsAt(at)
  at = after
  if redis.call('EXISTS', key('token', row.id)) == 0 then fresh[#fresh + 1] = { row, flat } end
end
if #fresh == 0 then return { ARGV[1], 'inserted' } end

if max then
  local held, live, marked = holder(fresh[1][1]), 0, 0
  if not anyPending() then live = redis.call('ZCOUNT', held, '(' .. now, '+inf') end
  while anyPending() and live + #fresh <= max do
    local ids = redis.call('ZRANGE', held, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', live, ${BATCH})
    for _, id in ipairs(ids) do
      local row = storedToken(id)
      local revocation = row and not row.broken and deadBy(row)
      if revocation then
        mark(row, revocation)
        marked = marked + 1
      else
        live = live + 1
      end
    end
    if #ids < ${BATCH} then break end
    if marked > 0 then return { ARGV[1], 'again' } end
  end
  if live + #fresh > max then return { ARGV[1], 'limit' } end
end

audit()
for _, record in ipairs(fresh) do insert(record[1], record[2]) end
return { ARGV[1], 'inserted' }
`),
)

/** Reads one token. Argument: its id. */
export const GET_TOKEN = defineScript(
  vital(`
local _, flat = token(ARGV[2])
if flat == nil then return { ARGV[1], 'missing' } end
return { ARGV[1], 'found', flat }
`),
)

/**
 * Walks at most a batch of the matching rows. Arguments: where to begin and where to end, as bounds of `BYLEX`, the
 * number of rows wanted, `liveAt`, `supersededAliveAt`, `expiresBefore`, `unusedBefore` and `revoked` or nothing, then
 * the names and values of the rest of the filter. Begins at the greater bound for a descending walk.
 *
 * Defines `walk`, which calls `found` with each row. Returns `end` if there are no more rows, else `more`; then where to
 * continue.
 */
const WALK = `
local from, to, want = ARGV[2], ARGV[3], tonumber(ARGV[4])
local liveAt, supersededAliveAt, expiresBefore = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local unusedBefore, revoked, EQUAL = tonumber(ARGV[8]), ARGV[9], 10

-- Walks the shortest list that contains every match, and applies the rest of the filter to its rows. Rows of older
-- processes are in no list by their issuer.
local LISTED = {}
for _, field in ipairs(FIELDS) do LISTED[field] = true end
local list, length = key('tokens'), nil
if supersededAliveAt then
  list = key('superseded')
  length = redis.call('ZCARD', list)
end
for i = EQUAL, #ARGV, 2 do
  if LISTED[ARGV[i]] then
    local name = key('tokens-by-' .. ARGV[i], ARGV[i + 1])
    local count = redis.call('ZCARD', name)
    if length == nil or count < length then list, length = name, count end
  end
end

local function matches(row)
  -- An unreadable row is returned, so the core reports it.
  if row.broken then return true end
  for i = EQUAL, #ARGV, 2 do
    local value = row[ARGV[i]]
    -- Every row has the other fields.
    if (value or ARGV[i] == 'owner') and value ~= ARGV[i + 1] then return false end
  end
  if revoked ~= '' and (row.revokedAt ~= nil) ~= (revoked == '1') then return false end
  local expiresAt = tonumber(row.expiresAt) or math.huge
  if expiresBefore and expiresAt >= expiresBefore then return false end
  if unusedBefore then
    local latest = math.max(tonumber(row.issuedAt) or 0, tonumber(row.lastUsedAt or '') or 0)
    if latest >= unusedBefore then return false end
  end
  if supersededAliveAt and (not row.supersededAt or expiresAt <= supersededAliveAt) then
    return false
  end
  if not liveAt then return true end
  if row.revokedAt then return false end
  return math.min(tonumber(row.supersededAt or '') or math.huge, expiresAt) > liveAt
end

local function page(size)
  if to == '-' then return redis.call('ZRANGE', list, from, to, 'BYLEX', 'REV', 'LIMIT', 0, size) end
  return redis.call('ZRANGE', list, from, to, 'BYLEX', 'LIMIT', 0, size)
end

local function walk(found)
  local matched, seen = 0, 0
  while matched < want and seen < ${BATCH} do
    local size = math.min(math.max(want - matched, 50), ${BATCH} - seen)
    local ids = page(size)
    for _, id in ipairs(ids) do
      if matched == want then break end
      local row, flat = token(id)
      if row and matches(row) then
        matched = matched + 1
        found(flat)
      end
      from = '(' .. id
      seen = seen + 1
    end
    if #ids < size then return 'end', from end
  end
  return 'more', from
end
`

/** Reads part of a page. Arguments: those of a walk. Returns `end` or `more`, where to continue, and the rows. */
export const LIST_TOKENS = defineScript(
  vital(`
${WALK}
local rows = {}
local tag, place = walk(function(flat) rows[#rows + 1] = flat end)
return { ARGV[1], tag, place, unpack(rows) }
`),
)

/** Counts part of a list. Arguments: those of a walk. Returns `end` or `more`, where to continue, and the number. */
export const COUNT_TOKENS = defineScript(
  vital(`
${WALK}
if #ARGV < EQUAL and not liveAt and not supersededAliveAt and not expiresBefore and not unusedBefore
  and revoked == '' then
  return { ARGV[1], 'end', from, redis.call('ZCARD', list) }
end
local count = 0
local tag, place = walk(function() count = count + 1 end)
return { ARGV[1], tag, place, count }
`),
)

/**
 * Replaces a token's details. Arguments: its id, the expected `detailsTag`, the details, then the rows of the audit.
 * Returns `done`, or `other` if the row is missing or has another tag.
 */
export const UPDATE_DETAILS = defineScript(
  growing(`${AUDIT}
local row = storedToken(ARGV[2])
if row == nil or row.broken or (row.detailsTag or '') ~= ARGV[3] then return { ARGV[1], 'other' } end
local details = pairsAt(4)
audit()
for _, field in ipairs({ 'label', 'owner', 'purpose', 'detailsTag' }) do
  if details[field] then
    redis.call('HSET', key('token', row.id), field, details[field])
  else
    redis.call('HDEL', key('token', row.id), field)
  end
end
if row.owner then redis.call('ZREM', key('tokens-by-owner', row.owner), row.id) end
if details.owner then redis.call('ZADD', key('tokens-by-owner', details.owner), 0, row.id) end
return { ARGV[1], 'done' }
`),
)

/**
 * Links a predecessor to its successor. Arguments: the predecessor's id, `supersededAt` or nothing, the successor, then
 * the rows of the audit.
 */
export const SUCCEED = defineScript(
  growing(`${AUDIT}
local row, flat = token(ARGV[2])
local successor, successorFlat = pairsAt(4)
if row == nil then return { ARGV[1], 'missing' } end
if row.broken then return { ARGV[1], 'broken' } end
-- The successor may be sealed with a newer key, which may have been revoked since.
if row.revokedAt or covered(row, row.keyId) or kept('key', successor.keyId)
  or keptFrom(row.family, successor.generation) then
  return { ARGV[1], 'revoked' }
end
if row.successor then
  local _, winner = token(row.successor)
  if winner == nil then return { ARGV[1], 'missing' } end
  return { ARGV[1], 'already', flat, winner }
end
for _, field in ipairs({ 'label', 'owner', 'purpose', 'hint' }) do
  if row[field] ~= successor[field] then return { ARGV[1], 'changed', flat } end
end
audit()
redis.call('HSET', key('token', row.id), 'successor', successor.id)
redis.call('ZREM', holder(row), row.id)
arrive('t', row.id)
if ARGV[3] ~= '' then supersede(row, ARGV[3]) end
if row.predecessor then supersede(storedToken(row.predecessor), successor.issuedAt) end
insert(successor, successorFlat)
return { ARGV[1], 'succeeded' }
`),
)

/** Moves a token's `supersededAt` to no later than a time. Arguments: its id, the time, then the rows of the audit. */
export const SUPERSEDE = defineScript(
  vital(`${AUDIT}
local row = storedToken(ARGV[2])
if endsAfter(row, ARGV[3]) then
  audit()
  supersede(row, ARGV[3])
end
return { ARGV[1], 'done' }
`),
)

/** Moves times of last use forward. Arguments: ids and times, alternating. */
export const RECORD_USAGE = defineScript(
  growing(`
for i = 2, #ARGV, 2 do
  local row = redis.pcall('HMGET', key('token', ARGV[i]), 'id', 'lastUsedAt')
  if row[1] and tonumber(ARGV[i + 1]) > (tonumber(row[2] or -1) or -1) then
    redis.call('HSET', key('token', ARGV[i]), 'lastUsedAt', ARGV[i + 1])
  end
end
return { ARGV[1], 'done' }
`),
)

/** Removes a batch of tokens. Argument: the highest expiry to remove. Returns `done` and the number removed. */
export const PURGE_TOKENS = defineScript(
  vital(`
local ids = redis.call('ZRANGE', key('expiry-of-tokens'), '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, ${BATCH})
for _, id in ipairs(ids) do
  local row = storedToken(id) or {}
  redis.call('ZREM', key('tokens'), id)
  redis.call('ZREM', key('expiry-of-tokens'), id)
  redis.call('ZREM', key('superseded'), id)
  redis.call('ZREM', key('changes'), 't:' .. id)
  for _, field in ipairs(FIELDS) do
    if row[field] then redis.call('ZREM', key('tokens-by-' .. field, row[field]), id) end
  end
  redis.call('ZREM', holder(row), id)
  redis.call('DEL', key('token', id))
end
return { ARGV[1], 'done', #ids }
`),
)
