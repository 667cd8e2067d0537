/**
 * Shared code of the scripts: names of keys, reading and writing a token's row, and what a revocation covers.
 *
 * The keys, after `{prefix}:`. A name with a colon goes on with a text of any kind up to its end, so no text can make it
 * the name of another key; where two texts make a name, the length of the first comes before it.
 *
 * - `schema`: the version of this layout
 * - `token:<id>`, `key:<id>`, `revocation:<id>`: a hash for each record
 * - `tokens`, `keys`, `revocations`: the ids, as sorted sets of one score, and so in the order of their bytes
 * - `tokens-by-<field>:<value>`: the same, of the tokens with that subject, family, policy, audience or keyId
 * - `superseded`: the same, of the tokens that have a `supersededAt`
 * - `held:<length of subject>:<subject><policy>`: ids of tokens that are neither revoked nor rotated, by the time of
 *   expiry, so that the live ones of a holder are counted without reading one
 * - `expiry-of-tokens`, `expiry-of-keys`, `expiry-of-revocations`: ids by the time of expiry
 * - `generations:<audience>`: a hash of key ids by generation
 * - `cover:<kind>:<value>`: ids of the kept revocations of a target, by their `before`
 * - `cover-successors:<family>`: ids of the kept revocations that cover the successors of a token of the family, by the
 *   lowest generation that each covers
 * - `changes`: `r:` and the id of each kept revocation, `t:` and the id of each token that was superseded or succeeded,
 *   by the number of its last change; `change`: the number of the last one
 * - `pending`: ids of revocations, oldest first, that are kept but have rows left to mark
 *
 * @module
 */
import { SCHEMA_VERSION } from '../../clients/redis/script.js'

// `#!lua` makes the server refuse keys of another slot, and the whole script rather than its last half when memory is
// full. Without `no-writes` a replica refuses even what only reads: what decides is read from the primary.
const HEAD = '#!lua'

// Scripts that invalidate tokens, free memory or only read also run when memory is full.
const HEAD_WHEN_FULL = '#!lua flags=allow-oom'

const COMMON = `
local root = string.sub(KEYS[1], 1, -7)
local schema = redis.call('GET', KEYS[1])
if schema ~= '${SCHEMA_VERSION}' then return { ARGV[1], 'schema', schema or '' } end

local function key(kind, text)
  if text == nil then return root .. kind end
  return root .. kind .. ':' .. text
end

-- Reads names and values in turn, that begin with how many there are.
local function pairsAt(at)
  local flat, fields = {}, {}
  local count = tonumber(ARGV[at])
  for i = 1, count do flat[i] = ARGV[at + i] end
  for i = 1, count, 2 do fields[flat[i]] = flat[i + 1] end
  return fields, flat, at + count + 1
end

-- A row as fields and as names and values in turn, or nothing when there is none. One that is not what it should be has
-- nothing but its id, and is refused by whoever reads it, without harm to the others.
local function readRow(kind, id)
  local flat, row = redis.pcall('HGETALL', key(kind, id)), {}
  if #flat == 0 and not flat.err then return nil end
  for i = 1, #flat, 2 do row[flat[i]] = flat[i + 1] end
  if row.id == id then return row, flat end
  return { id = id, broken = true }, { 'id', id }
end

-- Numbers a change. One script runs after another, so the numbers are in the order of the commits.
local function arrive(kind, id)
  redis.call('ZADD', key('changes'), redis.call('INCR', key('change')), kind .. ':' .. id)
end

-- A page of rows. What is listed and is not there is answered by its id, and so refused.
local function readPage(list, kind)
  local ids = redis.call('ZRANGE', key(list), '(' .. ARGV[2], '+', 'BYLEX', 'LIMIT', 0, ARGV[3])
  local rows = {}
  for i, id in ipairs(ids) do
    local _, flat = readRow(kind, id)
    rows[i] = flat or { 'id', id }
  end
  return { ARGV[1], 'rows', unpack(rows) }
end
`

const TOKENS = `
local FIELDS = { 'subject', 'family', 'policy', 'audience', 'keyId' }

local function holder(row)
  local subject = row.subject or ''
  return key('held', #subject .. ':' .. subject .. (row.policy or ''))
end

-- The revocations with rows left to mark, read at most once in a script.
local queue
local function pending()
  if queue then return queue end
  queue = {}
  for _, id in ipairs(redis.call('LRANGE', key('pending'), 0, -1)) do
    local revocation = readRow('revocation', id)
    if revocation and not revocation.broken then queue[#queue + 1] = revocation end
  end
  return queue
end

local isPending
local function anyPending()
  if isPending == nil then isPending = redis.call('EXISTS', key('pending')) == 1 end
  return isPending
end

local function kept(kind, value)
  return redis.call('EXISTS', key('cover', kind .. ':' .. (value or ''))) == 1
end

local function keptSince(kind, value, row)
  local top = redis.call('ZRANGE', key('cover', kind .. ':' .. (value or '')), 0, 0, 'REV', 'WITHSCORES')
  -- What cannot be read counts as oldest.
  return top[2] ~= nil and (tonumber(row.familyIssuedAt) or 0) <= tonumber(top[2])
end

-- Whether a kept revocation of an earlier token covers its successors of that generation.
local function keptFrom(family, generation)
  local first = redis.call('ZRANGE', key('cover-successors', family or ''), 0, 0, 'WITHSCORES')
  -- What cannot be read counts as youngest.
  return first[2] ~= nil and (tonumber(generation) or math.huge) >= tonumber(first[2])
end

-- Whether a kept revocation covers a token, when it is sealed by that key.
local function covered(row, keyId)
  return kept('token', row.id) or keptFrom(row.family, row.generation) or kept('family', row.family) or kept('key', keyId)
    or keptSince('subject', row.subject, row)
    or keptSince('audience', row.audience, row)
    or keptSince('all', '', row)
end

local function kills(revocation, row)
  local kind, value = revocation.kind, revocation.value
  if kind == 'family' then return row.family == value end
  if kind == 'token' then
    if row.id == value then return true end
    if not revocation.family or row.family ~= revocation.family then return false end
    return (tonumber(row.generation) or math.huge) >= (tonumber(revocation.generation) or 0)
  end
  if kind == 'key' then return row.keyId == value end
  if kind == 'subject' and row.subject ~= value then return false end
  if kind == 'audience' and row.audience ~= value then return false end
  return (tonumber(row.familyIssuedAt) or 0) <= tonumber(revocation.before)
end

-- The revocation that a row is dead by, though it does not say so yet: the one that was kept first. Everyone who reads,
-- inserts or marks asks this, so all see the same, before and after the row is marked.
local function deadBy(row)
  if row.revokedAt or not anyPending() or not covered(row, row.keyId) then return nil end
  for _, revocation in ipairs(pending()) do
    if kills(revocation, row) then return revocation end
  end
end

local function marksOf(revocation)
  local marks = { 'revokedAt', revocation.at, 'revokedBy', revocation.actor }
  if revocation.reason then
    marks[5] = 'revokedReason'
    marks[6] = revocation.reason
  end
  return marks
end

-- A token's row as it is, without what a pending revocation does to it. One that is lost is not taken for one that never
-- was.
local function storedToken(id)
  local row, flat = readRow('token', id)
  if row == nil and redis.call('ZSCORE', key('tokens'), id) then
    return { id = id, broken = true }, { 'id', id }
  end
  return row, flat
end

local function token(id)
  local row, flat = storedToken(id)
  if row == nil or row.broken then return row, flat end
  local revocation = deadBy(row)
  if revocation then
    for _, text in ipairs(marksOf(revocation)) do flat[#flat + 1] = text end
    row.revokedAt = revocation.at
  end
  return row, flat
end

local function isLiveAt(row, at)
  local ends = math.min(tonumber(row.supersededAt or '') or math.huge, tonumber(row.expiresAt) or math.huge)
  return ends > (tonumber(at) or 0)
end

-- Counts what was live, for the answer of the revocation.
local function mark(row, revocation)
  if isLiveAt(row, revocation.at) and redis.call('EXISTS', key('revocation', revocation.id)) == 1 then
    redis.call('HINCRBY', key('revocation', revocation.id), 'matched', 1)
  end
  redis.call('HSET', key('token', row.id), unpack(marksOf(revocation)))
  redis.call('ZREM', holder(row), row.id)
end

local function supersede(row, at)
  if row == nil or row.broken then return end
  if (tonumber(row.supersededAt or '') or math.huge) <= tonumber(at) then return end
  redis.call('HSET', key('token', row.id), 'supersededAt', at)
  redis.call('ZADD', key('superseded'), 0, row.id)
  arrive('t', row.id)
end

local function insert(row, flat)
  local id = row.id
  if redis.call('EXISTS', key('token', id)) == 1 then return end
  redis.call('HSET', key('token', id), unpack(flat))
  redis.call('ZADD', key('tokens'), 0, id)
  for _, field in ipairs(FIELDS) do
    redis.call('ZADD', key('tokens-by-' .. field, row[field]), 0, id)
  end
  redis.call('ZADD', key('expiry-of-tokens'), row.expiresAt, id)
  if row.supersededAt then redis.call('ZADD', key('superseded'), 0, id) end
  if row.revokedAt then return end
  if not row.successor then redis.call('ZADD', holder(row), row.expiresAt, id) end
  -- The marking may have passed this id by already.
  local revocation = deadBy(row)
  if revocation then mark(row, revocation) end
end
`

/** A script that reads and writes no token. */
export const plain = (body: string): string => `${HEAD_WHEN_FULL}${COMMON}${body}`

/** A script that reads and writes tokens, and is refused when memory is full. */
export const growing = (body: string): string => `${HEAD}${COMMON}${TOKENS}${body}`

/** A script that reads and writes tokens, and runs when memory is full. */
export const vital = (body: string): string => `${HEAD_WHEN_FULL}${COMMON}${TOKENS}${body}`
