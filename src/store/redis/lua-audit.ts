/**
 * The scripts for the audit, and the code with which other scripts write its rows.
 *
 * The keys, after `{prefix}:`:
 *
 * - `audit:<id>`: a hash for each row. A row of the tree also has `hash` and `place`
 * - `audit-pending`: the ids of rows without a place, as a sorted set with equal scores
 * - `audit-leaves`: the ids of the rows of the tree, by index
 * - `audit-ages`: the ids of the rows of the tree that have content, by when they were written
 * - `audits`, `audits-by-token:<id>`, `audits-by-subject:<subject>`: the ids of rows that have content, as sorted sets
 *   with equal scores. Few, because every change writes a row
 * - `audit-head`: a hash of the size of the tree and its state
 *
 * @module
 */
import { BATCH, defineScript } from '../../clients/redis/script.js'
import { AUDIT_FIELDS } from './audit-rows.js'
import { bulky, plain } from './lua-common.js'

// The seals have room for no higher one.
const MAX_INDEX = 2 ** 48 - 1

const LISTS = `
local AUDITS_BY = { 'token', 'subject' }
`

const ROWS = `${LISTS}
local FIELDS, AT = { ${AUDIT_FIELDS.map((name) => `'${name}'`).join(', ')} }, {}
for at, field in ipairs(FIELDS) do AT[field] = at end

-- The values of a row, or nothing if it does not exist. A broken row has only its id: the core reports it without
-- affecting the others.
local function valuesOf(id)
  local name = key('audit', id)
  local values = redis.pcall('HMGET', name, unpack(FIELDS))
  if values[AT.id] == id then return values end
  if redis.call('EXISTS', name) == 0 then return nil end
  return { id }
end
`

/**
 * Defines `audit`, which writes the rows that end the arguments, followed by the number of these arguments. A script
 * calls it after its decision and before its changes, because Redis undoes nothing: if a row cannot be written, nothing
 * is changed. `auditAt` is the place of the first row.
 */
export const AUDIT = `${LISTS}
local auditAt = #ARGV - tonumber(ARGV[#ARGV])

local function audit()
  local at, fresh = auditAt, {}
  while at < #ARGV do
    local row, flat, after = pairsAt(at)
    at = after
    if redis.call('EXISTS', key('audit', row.id)) == 0 then
      redis.call('ZADD', key('audits'), 0, row.id)
      for _, field in ipairs(AUDITS_BY) do
        if row[field] then redis.call('ZADD', key('audits-by-' .. field, row[field]), 0, row.id) end
      end
      redis.call('ZADD', key('audit-pending'), 0, row.id)
      fresh[row.id] = fresh[row.id] or flat
    end
  end
  -- Last, because it cannot fail: if a list was broken, no row is left that a repeated call would skip.
  for id, flat in pairs(fresh) do redis.call('HSET', key('audit', id), unpack(flat)) end
end
`

/** Writes pending rows. Arguments: those of the rows, and their number. */
export const WRITE_AUDIT = defineScript(
  bulky(`${AUDIT}
audit()
return { ARGV[1], 'done' }
`),
)

// Lists are data of their own: a row that was taken out of one would be hidden, though it is intact.
const CHECKED = `${ROWS}
local function isIn(list, id)
  return tonumber(redis.call('ZSCORE', list, id) or '') == 0
end

local function isListed(id, values)
  if not isIn(key('audits'), id) then return false end
  for _, field in ipairs(AUDITS_BY) do
    local value = values[AT[field]]
    if value and not isIn(key('audits-by-' .. field, value), id) then return false end
  end
  return true
end

-- A row that a list lacks is returned with an empty subject, which no event has, so the core reports it as edited.
local function checkedValues(id)
  local values = valuesOf(id)
  if values and values[AT.body] and not isListed(id, values) then values[AT.subject] = '' end
  return values
end
`

/** Reads part of a page of pending rows. Arguments: the id to begin after, the size. Returns the last id, and the rows. */
export const LIST_PENDING = defineScript(
  plain(`${CHECKED}
local ids = redis.call('ZRANGE', key('audit-pending'), '(' .. ARGV[2], '+', 'BYLEX', 'LIMIT', 0, ARGV[3])
local rows = {}
for _, id in ipairs(ids) do
  rows[#rows + 1] = checkedValues(id)
end
local last = #ids == tonumber(ARGV[3]) and ids[#ids] or ''
return { ARGV[1], 'rows', last, unpack(rows) }
`),
)

// The head may have been removed or set back, so the tree is never smaller than its last row shows: otherwise an index
// would be used twice. Higher ones are faults.
const SIZE = `
local function treeSize()
  local stored = redis.call('HGET', key('audit-head'), 'size') or ''
  local size = string.find(stored, '^%d+$') and tonumber(stored) or 0
  local top = redis.call(
    'ZRANGE', key('audit-leaves'), ${MAX_INDEX}, 0, 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')
  if top[2] then size = math.max(size, math.floor(tonumber(top[2])) + 1) end
  return string.format('%.0f', size), stored
end
`

/** Reads the head. Returns the size and the state, which is empty if it is that of another size. */
export const READ_HEAD = defineScript(
  plain(`${SIZE}
local size, stored = treeSize()
local state = size == stored and redis.call('HGET', key('audit-head'), 'state')
return { ARGV[1], 'head', size, state or '' }
`),
)

/**
 * Appends pending rows to the tree. Arguments: its size, the new state, then the id, the hash and the place of each row.
 * Returns `done`, or `other` if the tree has another size, or one of the rows is not pending.
 */
export const APPEND = defineScript(
  bulky(`${SIZE}
local size, ages = tonumber(ARGV[2]), {}
if treeSize() ~= ARGV[2] then return { ARGV[1], 'other' } end
-- Redis undoes nothing, so a row that was edited must not make the script fail halfway.
for at = 4, #ARGV, 3 do
  local id = ARGV[at]
  local age = redis.pcall('HGET', key('audit', id), 'at')
  local isPending = redis.call('ZSCORE', key('audit-pending'), id)
  if ages[id] or not isPending or type(age) ~= 'string' or not string.find(age, '^%d+$') then
    return { ARGV[1], 'other' }
  end
  ages[id] = age
end
for at = 4, #ARGV, 3 do
  local id = ARGV[at]
  redis.call('HSET', key('audit', id), 'hash', ARGV[at + 1], 'place', ARGV[at + 2])
  redis.call('ZADD', key('audit-leaves'), size, id)
  redis.call('ZADD', key('audit-ages'), ages[id], id)
  redis.call('ZREM', key('audit-pending'), id)
  size = size + 1
end
redis.call('HSET', key('audit-head'), 'size', string.format('%d', size), 'state', ARGV[3])
return { ARGV[1], 'done' }
`),
)

/**
 * Reads part of the tree. Arguments: the index to begin with, the number of its rows that were read already, the number
 * of rows. Returns how many were read, then those that are stored, each with its index.
 */
export const READ_LEAVES = defineScript(
  plain(`${CHECKED}
-- Begins after the row before, not at the index: a row that an attacker put between them must not be hidden. By number,
-- because several rows may have one index.
local leaves, from, skip = key('audit-leaves'), '-inf', tonumber(ARGV[3])
if ARGV[2] ~= '0' then
  from = string.format('%.0f', tonumber(ARGV[2]) - 1)
  skip = skip + math.min(redis.call('ZCOUNT', leaves, from, from), 1)
end
local found = redis.call('ZRANGE', leaves, from, '+inf', 'BYSCORE', 'LIMIT', skip, ARGV[4], 'WITHSCORES')
local rows = {}
for at = 1, #found, 2 do
  local values = checkedValues(found[at])
  if values then
    values[#FIELDS + 1] = found[at + 1]
    rows[#rows + 1] = values
  end
end
return { ARGV[1], 'rows', #found / 2, unpack(rows) }
`),
)

/** Finds rows. Arguments: their ids. Returns, for each, its index, `pending`, or nothing. */
export const LOCATE = defineScript(
  plain(`
local places = {}
for at = 2, #ARGV do
  local id = ARGV[at]
  local place = redis.call('ZSCORE', key('audit-leaves'), id)
    or (redis.call('ZSCORE', key('audit-pending'), id) and 'pending')
  if not place or redis.call('EXISTS', key('audit', id)) == 0 then place = '' end
  places[at - 1] = place
end
return { ARGV[1], 'places', unpack(places) }
`),
)

/**
 * Reads part of a page of entries. Arguments: where to begin and where to end, as bounds of `BYLEX`, the number of rows
 * wanted, `since` and `until` or nothing, then the names and values of the rest of the filter. Begins at the greater
 * bound for a descending walk. Returns `end` if there are no more rows, else `more`; where to continue; and the rows,
 * each with its index if it has one.
 */
export const LIST_AUDIT = defineScript(
  plain(`${ROWS}
local from, to, want = ARGV[2], ARGV[3], tonumber(ARGV[4])
local since, before, EQUAL = tonumber(ARGV[5]), tonumber(ARGV[6]), 7

-- Walks the shortest list that contains every match, and applies the rest of the filter to its rows.
local list, length = key('audits'), nil
for at = EQUAL, #ARGV, 2 do
  for _, field in ipairs(AUDITS_BY) do
    if ARGV[at] == field then
      local name = key('audits-by-' .. field, ARGV[at + 1])
      local count = redis.call('ZCARD', name)
      if length == nil or count < length then list, length = name, count end
    end
  end
end

local function matches(values)
  -- An unreadable row is returned, so the core reports it.
  if #values == 1 then return true end
  if not values[AT.body] then return false end
  for at = EQUAL, #ARGV, 2 do
    if values[AT[ARGV[at]]] ~= ARGV[at + 1] then return false end
  end
  local written = tonumber(values[AT.at] or '')
  if not written then return true end
  return not (since and written < since) and not (before and written >= before)
end

local rows, seen = {}, 0
while #rows < want and seen < ${BATCH} do
  local size = math.min(math.max(want - #rows, 50), ${BATCH} - seen)
  local ids
  if to == '-' then
    ids = redis.call('ZRANGE', list, from, to, 'BYLEX', 'REV', 'LIMIT', 0, size)
  else
    ids = redis.call('ZRANGE', list, from, to, 'BYLEX', 'LIMIT', 0, size)
  end
  for _, id in ipairs(ids) do
    if #rows == want then break end
    local values = valuesOf(id)
    if values and matches(values) then
      values[#FIELDS + 1] = redis.call('ZSCORE', key('audit-leaves'), id)
      rows[#rows + 1] = values
    end
    from = '(' .. id
    seen = seen + 1
  end
  if #ids < size then return { ARGV[1], 'end', from, unpack(rows) } end
end
return { ARGV[1], 'more', from, unpack(rows) }
`),
)

/**
 * Removes the content of a batch of rows of the tree. Argument: the highest time of writing. Returns `more` or `none`,
 * and the number of rows that had content.
 */
export const PURGE_AUDIT = defineScript(
  plain(`${LISTS}
local ids = redis.call('ZRANGE', key('audit-ages'), '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, ${BATCH})
local purged = 0
for _, id in ipairs(ids) do
  local name, row = key('audit', id), readRow('audit', id) or {}
  for _, field in ipairs(AUDITS_BY) do
    if row[field] then redis.call('ZREM', key('audits-by-' .. field, row[field]), id) end
  end
  redis.call('ZREM', key('audits'), id)
  redis.call('ZREM', key('audit-ages'), id)
  -- A broken row must not end the purge.
  redis.pcall('HDEL', name, 'action', 'actor', 'subject', 'token', 'family', 'body', 'tag')
  if row.body then purged = purged + 1 end
end
return { ARGV[1], #ids == ${BATCH} and 'more' or 'none', purged }
`),
)
