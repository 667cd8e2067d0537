/**
 * The scripts for usage.
 *
 * The keys, after `{prefix}:`:
 *
 * - `usage:<token id>`: a hash of rows by `<from>:<life>`. A row is `h` or `d` for an hour or a day, the number of
 *   requests, a colon, and the rest as JSON
 * - `usage-hours`, `usage-days`: the starts of hours and days that have rows, by when they end
 * - `usage-of-hour:<from>`, `usage-of-day:<from>`: `<token id>:<life>` of these rows, as sorted sets with equal scores
 * - `usage-closed`: the time up to which hours are closed
 * - `life:<life>`: a life as JSON; `lives`: the lives as a sorted set with equal scores; `ended-lives`: those that have
 *   ended, by when
 *
 * @module
 */
import { defineScript } from '../../clients/redis/script.js'
import { bulky, plain } from './lua-common.js'

/** The rows and tokens that one script folds or removes. */
export const USAGE_BATCH = 500

const USAGE = `
local HOUR, DAY = 3600000, 86400000

local function closedUntil()
  return tonumber(redis.call('GET', key('usage-closed')) or '0')
end

-- The kind and the number of requests of a row.
local function headOf(text)
  local kind, total = string.match(text, '^([hd])(%d+):')
  return kind, tonumber(total or '0')
end

local function enter(kind, from, id, life)
  local length = kind == 'h' and HOUR or DAY
  local name = kind == 'h' and 'hour' or 'day'
  redis.call('ZADD', key('usage-' .. name .. 's'), tonumber(from) + length, from)
  redis.call('ZADD', key('usage-of-' .. name, from), 0, id .. ':' .. life)
end

local function leave(name, from, member)
  redis.call('ZREM', key('usage-of-' .. name, from), member)
  if redis.call('EXISTS', key('usage-of-' .. name, from)) == 0 then
    redis.call('ZREM', key('usage-' .. name .. 's'), from)
  end
end

-- The start of the earliest hour or day that ends by a time, and a batch of its rows.
local function earliest(name, until_, count)
  local from = redis.call('ZRANGE', key('usage-' .. name .. 's'), '-inf', until_, 'BYSCORE', 'LIMIT', 0, 1)[1]
  if not from then return nil, {} end
  return from, redis.call('ZRANGE', key('usage-of-' .. name, from), 0, count - 1)
end
`

/**
 * Merges rows. Arguments: for each row its token, start, life, number of requests, and content. Returns the time up to
 * which hours are closed; rows of closed hours are skipped.
 */
export const MERGE_ROWS = defineScript(
  bulky(`${USAGE}
local closed = closedUntil()
for i = 2, #ARGV, 5 do
  local id, from, life, total, text = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if tonumber(from) + HOUR > closed then
    local name, field = key('usage', id), from .. ':' .. life
    local stored = redis.call('HGET', name, field)
    local _, most = headOf(stored or '')
    if tonumber(total) >= most then redis.call('HSET', name, field, text) end
    if not stored then enter('h', from, id, life) end
  end
end
return { ARGV[1], 'merged', string.format('%d', closed) }
`),
)

/**
 * Reads rows of tokens that end after a time, up to a number of them. Arguments: the time, the number, the start from
 * which to read the rows of the first token, the ids. Returns, for each token, starts and lives, and contents,
 * alternating, in ascending order of the starts. Rows of one start are never divided, and those of the first start are
 * not counted: the caller may have them already.
 */
export const LIST_ROWS = defineScript(
  plain(`${USAGE}
local since, left, first, lists = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), {}
for i = 5, #ARGV do
  local name, starts, places, rows = key('usage', ARGV[i]), {}, {}, {}
  for _, place in ipairs(left > 0 and redis.call('HKEYS', name) or {}) do
    local from = tonumber(string.match(place, '^%d+') or '0')
    if from >= first and from + DAY > since then
      if not places[from] then
        places[from] = {}
        starts[#starts + 1] = from
      end
      table.insert(places[from], place)
    end
  end
  table.sort(starts)
  for _, from in ipairs(starts) do
    if left <= 0 then break end
    for _, place in ipairs(places[from]) do
      local text = redis.call('HGET', name, place)
      if from + (headOf(text) == 'd' and DAY or HOUR) > since then
        rows[#rows + 1] = place
        rows[#rows + 1] = text
        if from > first then left = left - 1 end
      end
    end
  end
  first = -1
  lists[#lists + 1] = rows
end
return { ARGV[1], 'rows', unpack(lists) }
`),
)

/** Closes hours. Argument: the time up to which. */
export const CLOSE_HOURS = defineScript(
  plain(`${USAGE}
if tonumber(ARGV[2]) > closedUntil() then redis.call('SET', key('usage-closed'), ARGV[2]) end
return { ARGV[1], 'done' }
`),
)

/**
 * Reads the rows that are to be summed: the hours of a batch of tokens of the earliest day, and the row of that day as
 * far as it was summed before. Arguments: the time until which hours are folded, the number of tokens. Returns `none`,
 * or `day`, its start, and for each token its id and its rows: starts and lives, and contents, alternating.
 */
export const READ_DAY = defineScript(
  plain(`${USAGE}
local from, members = earliest('hour', ARGV[2], tonumber(ARGV[3]))
if not from then return { ARGV[1], 'none' } end
local day = tonumber(from) - tonumber(from) % DAY
local last = math.min(day + DAY, tonumber(ARGV[2]))
local seen, lists = {}, {}
for _, member in ipairs(members) do
  local id = string.match(member, '^[^:]*')
  if not seen[id] then
    seen[id] = true
    local flat, rows = redis.call('HGETALL', key('usage', id)), { id }
    for at = 1, #flat, 2 do
      local start = tonumber(string.match(flat[at], '^%d+') or '0')
      if start >= day and start < day + DAY and (headOf(flat[at + 1]) == 'd' or start + HOUR <= last) then
        rows[#rows + 1] = flat[at]
        rows[#rows + 1] = flat[at + 1]
      end
    end
    lists[#lists + 1] = rows
  end
  -- A member that has no hour would be read again and again.
  local row = redis.call('HGET', key('usage', id), from .. string.sub(member, #id + 1))
  if not row or headOf(row) == 'd' then leave('hour', from, member) end
end
return { ARGV[1], 'day', string.format('%d', day), unpack(lists) }
`),
)

/**
 * Replaces rows by their sum, if none of them has changed since they were read. Arguments: the token, the start of the
 * day, the life, the sum, then starts and contents of the rows, alternating.
 */
export const REPLACE_ROWS = defineScript(
  plain(`${USAGE}
local id, day, life, sum = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local name = key('usage', id)
for i = 6, #ARGV, 2 do
  if redis.call('HGET', name, ARGV[i] .. ':' .. life) ~= ARGV[i + 1] then return { ARGV[1], 'changed' } end
end
-- The row of the day must not have come into being, either.
local stored = redis.call('HGET', name, day .. ':' .. life)
local isKnown = not stored
for i = 6, #ARGV, 2 do isKnown = isKnown or ARGV[i] == day end
if not isKnown then return { ARGV[1], 'changed' } end
for i = 6, #ARGV, 2 do
  if headOf(ARGV[i + 1]) ~= 'd' then
    redis.call('HDEL', name, ARGV[i] .. ':' .. life)
    leave('hour', ARGV[i], id .. ':' .. life)
  end
end
redis.call('HSET', name, day .. ':' .. life, sum)
enter('d', day, id, life)
return { ARGV[1], 'done' }
`),
)

/** Removes a batch of rows that end by a time. Arguments: `hour` or `day`, the time. Returns `more` or `none`. */
export const REMOVE_ROWS = defineScript(
  plain(`${USAGE}
local from, members = earliest(ARGV[2], ARGV[3], ${USAGE_BATCH})
if not from then return { ARGV[1], 'none' } end
for _, member in ipairs(members) do
  local id = string.match(member, '^[^:]*')
  redis.call('HDEL', key('usage', id), from .. string.sub(member, #id + 1))
  leave(ARGV[2], from, member)
end
return { ARGV[1], 'more' }
`),
)

/**
 * Writes a life if its content is still the expected one. Arguments: the life, the expected content or nothing, the new
 * one, when it ended or nothing. Returns `done`, or `other` and the content.
 */
export const WRITE_LIFE = defineScript(
  plain(`
local name = key('life', ARGV[2])
local stored = redis.call('GET', name) or ''
if stored ~= ARGV[3] then return { ARGV[1], 'other', stored } end
redis.call('SET', name, ARGV[4])
redis.call('ZADD', key('lives'), 0, ARGV[2])
if ARGV[5] ~= '' then redis.call('ZADD', key('ended-lives'), ARGV[5], ARGV[2]) end
return { ARGV[1], 'done' }
`),
)

/**
 * Reads a page of the lives that have not ended, or that ended after a time. Arguments: the time, the life to begin
 * after, the page size. Returns the last life of the page or nothing, then the contents.
 */
export const LIST_LIVES = defineScript(
  plain(`
local lives = redis.call('ZRANGE', key('lives'), '(' .. ARGV[3], '+', 'BYLEX', 'LIMIT', 0, ARGV[4])
local rows = {}
for _, life in ipairs(lives) do
  local ended = redis.call('ZSCORE', key('ended-lives'), life)
  if not ended or tonumber(ended) > tonumber(ARGV[2]) then
    rows[#rows + 1] = redis.call('GET', key('life', life)) or ''
  end
end
local last = #lives == tonumber(ARGV[4]) and lives[#lives] or ''
return { ARGV[1], 'lives', last, unpack(rows) }
`),
)

/** Removes the lives that ended by a time. Argument: the time. */
export const PURGE_LIVES = defineScript(
  plain(`
for _, life in ipairs(redis.call('ZRANGE', key('ended-lives'), '-inf', ARGV[2], 'BYSCORE')) do
  redis.call('DEL', key('life', life))
  redis.call('ZREM', key('lives'), life)
  redis.call('ZREM', key('ended-lives'), life)
end
return { ARGV[1], 'done' }
`),
)
