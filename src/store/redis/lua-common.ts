/**
 * Shared code of the scripts: key names, reading and writing token rows, and the coverage of revocations.
 *
 * The keys, after `{prefix}:`. In a name with a colon, everything after the colon is free text, so no text can produce
 * the name of another key. In a name of two texts, the length of the first one precedes them.
 *
 * - `schema`: the version of this layout
 * - `token:<id>`, `key:<id>`, `revocation:<id>`: a hash for each record
 * - `tokens`, `keys`, `revocations`: the ids, as sorted sets with equal scores, ordered by their bytes
 * - `tokens-by-<field>:<value>`: the same, of the tokens with that subject, family, policy, audience, keyId or owner
 * - `superseded`: the same, of the tokens that have a `supersededAt`
 * - `held:<length of subject>:<subject><policy>`: ids of tokens that are neither revoked nor rotated, by expiry, to
 *   count a holder's live tokens without reading them
 * - `expiry-of-tokens`, `expiry-of-keys`, `expiry-of-revocations`: ids by expiry
 * - `generations:<audience>`: a hash of key ids by generation
 * - `cover:<kind>:<value>`: ids of the stored revocations of a target, by their `before`
 * - `cover-successors:<family>`: ids of the stored revocations that cover successors of a token of the family, by the
 *   lowest generation covered
 * - `changes`: `r:` and the id of each stored revocation, `t:` and the id of each token that was superseded or
 *   succeeded, by the number of its last change; `change`: the highest number
 * - `pending`: ids of stored revocations with rows left to mark, oldest first
 * - the keys of restrictions: see `lua-restrictions.ts`
 * - the keys of usage: see `lua-usage.ts`
 * - the keys of the audit: see `lua-audit.ts`
 *
 * @module
 */
import { SCHEMA_VERSION } from '../../clients/redis/script.js'

// With `#!lua`, the server rejects keys of another slot, and rejects the whole script when memory is full instead of
// stopping halfway. Without `no-writes`, a replica rejects even read-only scripts: decisive reads must go to the
// primary.
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

-- Reads alternating names and values, preceded by their number.
local function pairsAt(at)
  local flat, fields = {}, {}
  local count = tonumber(ARGV[at])
  for i = 1, count do flat[i] = ARGV[at + i] end
  for i = 1, count, 2 do fields[flat[i]] = flat[i + 1] end
  return fields, flat, at + count + 1
end

-- A row as fields and as alternating names and values, or nothing if it does not exist. A broken row has only its id:
-- the core rejects it without affecting the others.
local function readRow(kind, id)
  local flat, row = redis.pcall('HGETALL', key(kind, id)), {}
  if #flat == 0 and not flat.err then return nil end
  for i = 1, #flat, 2 do row[flat[i]] = flat[i + 1] end
  if row.id == id then return row, flat end
  return { id = id, broken = true }, { 'id', id }
end

-- Numbers a change. Scripts run one after another, so the numbers are in commit order.
local function arrive(kind, id)
  redis.call('ZADD', key('changes'), redis.call('INCR', key('change')), kind .. ':' .. id)
end

-- A page of rows. A row that is listed but missing is returned with only its id, so the core rejects it.
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
local FIELDS = { 'subject', 'family', 'policy', 'audience', 'keyId', 'owner' }

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
  -- An unreadable value counts as oldest.
  return top[2] ~= nil and (tonumber(row.familyIssuedAt) or 0) <= tonumber(top[2])
end

-- Whether a stored revocation of an earlier token covers its successors of that generation.
local function keptFrom(family, generation)
  local first = redis.call('ZRANGE', key('cover-successors', family or ''), 0, 0, 'WITHSCORES')
  -- An unreadable value counts as youngest.
  return first[2] ~= nil and (tonumber(generation) or math.huge) >= tonumber(first[2])
end

-- Whether a stored revocation covers a token sealed by that key.
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

-- The earliest stored revocation that covers a row not yet marked. Every read, insert and mark uses this, so results are
-- the same before and after the row is marked.
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

-- A token's row as stored, without the effect of pending revocations. A lost row is reported as broken, not as missing.
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

-- Counts live rows for the result of the revocation.
local function mark(row, revocation)
  if isLiveAt(row, revocation.at) and redis.call('EXISTS', key('revocation', revocation.id)) == 1 then
    redis.call('HINCRBY', key('revocation', revocation.id), 'matched', 1)
  end
  redis.call('HSET', key('token', row.id), unpack(marksOf(revocation)))
  redis.call('ZREM', holder(row), row.id)
end

local function endsAfter(row, at)
  return row ~= nil and not row.broken and (tonumber(row.supersededAt or '') or math.huge) > tonumber(at)
end

local function supersede(row, at)
  if not endsAfter(row, at) then return end
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
    if row[field] then redis.call('ZADD', key('tokens-by-' .. field, row[field]), 0, id) end
  end
  redis.call('ZADD', key('expiry-of-tokens'), row.expiresAt, id)
  if row.supersededAt then redis.call('ZADD', key('superseded'), 0, id) end
  if row.revokedAt then return end
  if not row.successor then redis.call('ZADD', holder(row), row.expiresAt, id) end
  -- Marking may already have passed this id.
  local revocation = deadBy(row)
  if revocation then mark(row, revocation) end
end
`

/** Defines `register`, which reads a register of restrictions. A lost one is reported as broken, not as missing. */
export const REGISTERS = `
local function register(id)
  local row, flat = readRow('restriction', id)
  if row == nil and redis.call('ZSCORE', key('restrictions'), id) then
    return { id = id, broken = true }, { 'id', id }
  end
  return row, flat
end
`

/** A script that reads and writes no token. */
export const plain = (body: string): string => `${HEAD_WHEN_FULL}${COMMON}${body}`

/** A script that writes no token, and is refused when memory is full. */
export const bulky = (body: string): string => `${HEAD}${COMMON}${body}`

/** A script that reads and writes tokens, and is refused when memory is full. */
export const growing = (body: string): string => `${HEAD}${COMMON}${TOKENS}${body}`

/** A script that reads and writes tokens, and runs when memory is full. */
export const vital = (body: string): string => `${HEAD_WHEN_FULL}${COMMON}${TOKENS}${body}`
