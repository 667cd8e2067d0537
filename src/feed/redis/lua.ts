/**
 * The scripts of the feed: each is one atomic step.
 *
 * The keys, after `{prefix}:`
 *
 * - `feed`: a hash, the head: `epoch`, `seq`, `link`, `floor`, `beaconAt`, `bytes`, and `no`, the epoch's number
 * - `feed:log`: a stream of the events, each with the id `<no>-<seq>` and the one field `e`
 * - `feed:snapshot`: a hash, the complete snapshot: its `generation`, and the `count` of its chunks
 * - `feed:snapshot:<generation>`: a list, its chunks
 *
 * Other clients may have trimmed, extended or dropped the log: the head defines which events belong to it, and the
 * stream which of them exist. Only an incomplete or replaced snapshot has a TTL.
 *
 * @module
 */
import { defineScript } from '../../clients/redis/script.js'
import { MAX_EVENT_BYTES, MAX_HEAD_BYTES } from '../feed.js'

/** The maximum number of events that one call reads or one step drops: the server runs nothing else during a script. */
export const MOST_READ = 1000
const MOST_DROPPED = 10_000
// Other clients may write anything: a reply is bounded by its bytes, and a scan by its number of entries.
const MOST_BYTES = 4 * 1024 * 1024
const STEP = 16
const MOST_JUNK = 1000
/** The maximum number of events in one notification of a watch. */
const MOST_TOLD = 64
const BYTES_TOLD = 1024 * 1024

/** The maximum number of chunks that one call reads. */
const CHUNKS_READ = 16
// Each chunk extends an unfinished snapshot for an hour. A reader of a replaced snapshot has five minutes to finish.
const UNFINISHED_SECONDS = 3600
const REPLACED_SECONDS = 300

// With `#!lua`, a replica rejects even read-only scripts, and a server whose memory is full rejects the whole script
// instead of stopping halfway. Scripts that revoke, free memory or only read run even then.
const HEAD = '#!lua'
const HEAD_WHEN_FULL = '#!lua flags=allow-oom'

const TYPES = `
local function wrongType(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found == 'none' or found == wanted then return nil end
  return { ARGV[1], 'type', key, found, wanted }
end
`

const LOG = `${TYPES}
local log = KEYS[1] .. ':log'
local wrong = wrongType(KEYS[1], 'hash') or wrongType(log, 'stream')
if wrong then return wrong end

local function short(text, most)
  return string.sub(text or '', 1, most)
end

local function whole(text, other)
  return text and #text < 16 and string.match(text, '^%d+$') or other
end

-- Data that no node can have written is reported shortened, in a form that the core rejects.
local epoch, seq, link, floor, beaconAt, bytes, no = unpack(redis.call(
  'HMGET', KEYS[1], 'epoch', 'seq', 'link', 'floor', 'beaconAt', 'bytes', 'no'))
if epoch then
  epoch, seq, link = short(epoch, 64), whole(seq, '0'), short(link, 64)
  floor, beaconAt, no = whole(floor, '1'), whole(beaconAt, '0'), whole(no, '0')
  bytes = short(bytes, ${MAX_HEAD_BYTES + 1})
end

local function text(number)
  return string.format('%.0f', number)
end

local function seqOf(id)
  return tonumber(string.match(id, '%d+$'))
end

local function isEvent(entry)
  return #entry[2][2] <= ${MAX_EVENT_BYTES}
end

-- Events up to the head, from one number on.
local function range(from, count)
  return redis.call('XRANGE', log, no .. '-' .. from, no .. '-' .. seq, 'COUNT', count)
end

-- Contiguous valid events from one number on: the number of the first one, and where a gap before it begins, if any.
local function collect(first, most, room, out)
  local from, size, fixed, open, behind = first, 0, #out, true, false
  while open do
    local entries = range(text(from), ${STEP})
    open = #entries == ${STEP}
    for _, entry in ipairs(entries) do
      local at = seqOf(entry[1])
      from = at + 1
      if isEvent(entry) then
        if #out == fixed and at > first then first, behind = at, true end
        size = size + #entry[2][2]
        if at ~= first + #out - fixed or #out - fixed == most or (size > room and #out > fixed) then
          open = false
          break
        end
        out[#out + 1] = entry[2][2]
      end
    end
  end
  return first, behind
end

local function keep()
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', log)
end

-- Removes foreign entries above an id and returns their number.
local function removeAbove(top, most)
  local removed = 0
  repeat
    local junk = redis.call('XRANGE', log, '(' .. top, '+', 'COUNT', ${STEP})
    for _, entry in ipairs(junk) do redis.call('XDEL', log, entry[1]) end
    removed = removed + #junk
  until #junk == 0 or (most and removed >= most)
  return removed
end

-- The actual floor of the log: other clients may have trimmed or dropped it.
local function shownFloor()
  local first = range(floor, 1)[1]
  return first and seqOf(first[1]) or tonumber(seq) + 1
end

local function reply(tag)
  if not epoch then return { ARGV[1], tag } end
  return { ARGV[1], tag, epoch, seq, link, text(shownFloor()), beaconAt, bytes }
end

-- Whether the head is at the epoch, seq and link in the arguments from the second on.
local function isExpected()
  if not epoch then return ARGV[2] == '' end
  return epoch == ARGV[2] and seq == ARGV[3] and link == ARGV[4]
end
`

const over = (head: string, body: string) => defineScript(`${head}${LOG}${body}`)

/** Returns the head, if there is one: epoch, seq, link, floor, beaconAt, bytes. */
export const HEAD_OF_LOG = over(HEAD_WHEN_FULL, `return reply('head')`)

/**
 * Reads events. Arguments: an epoch, the seq to begin after, the maximum number. Returns the floor, the seq of the
 * first event, and contiguous events. Events hidden by a gap are reported as trimmed.
 */
export const READ = over(
  HEAD_WHEN_FULL,
  `
if not epoch then return { ARGV[1], 'events', '1', '1' } end
local lowest = shownFloor()
if epoch ~= ARGV[2] then return { ARGV[1], 'events', text(lowest), '1' } end
local first = math.max(tonumber(ARGV[3]) + 1, tonumber(floor))
local out = { ARGV[1], 'events', '', '' }
local found, behind = collect(first, tonumber(ARGV[4]), ${MOST_BYTES}, out)
if behind then lowest = math.max(lowest, found) end
if #out == 4 and first <= tonumber(seq) then lowest = tonumber(seq) + 1 end
first = found
out[3], out[4] = text(lowest), text(first)
return out
`,
)

/**
 * Reads the position of the log and new events for a watch. Arguments: the number of its epoch and its seq, both empty
 * at the start. Returns the epoch, its number and seq, how many entries above the head were removed, the seq of the
 * first event, and the events.
 */
export const NEXT = over(
  HEAD_WHEN_FULL,
  `
if not epoch then return { ARGV[1], 'next', '', '0', '0', '0', '1' } end
local removed = removeAbove(no .. '-' .. seq, ${MOST_JUNK})
local out = { ARGV[1], 'next', epoch, no, seq, text(removed), '1' }
if no == ARGV[2] and tonumber(ARGV[3]) < tonumber(seq) then
  local first = collect(tonumber(ARGV[3]) + 1, ${MOST_TOLD}, ${BYTES_TOLD}, out)
  out[7] = text(first)
end
return out
`,
)

/**
 * Appends events. Arguments: the epoch, seq and link expected, an empty epoch if none; those of the new head, its
 * beaconAt and bytes; the events. Returns `appended`, or `refused` and the head.
 */
export const APPEND = over(
  HEAD_WHEN_FULL,
  `
if not isExpected() then return reply('refused') end
local FIRST = 10
local first = tonumber(ARGV[6]) - (#ARGV - FIRST)

local function beginAnew()
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- Higher than the previous one, because blocked readers wait for a higher id.
  no = text(math.max(now, tonumber(no or 0) + 1))
  floor = '1'
  redis.call('UNLINK', log)
end

-- Removes foreign entries at the place of the events, and reports missing earlier events as trimmed.
local function makeRoom()
  local top = no .. '-' .. text(first - 1)
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if last and last[1] == top then return end
  removeAbove(top)
  if #redis.call('XRANGE', log, top, top) == 0 then floor = text(first) end
end

local function add(at, event)
  local id = no .. '-' .. text(at)
  local added = redis.pcall('XADD', log, id, 'e', event)
  if type(added) ~= 'table' then return end
  -- The stream remembers its highest id, also of removed entries.
  redis.call('XSETID', log, no .. '-' .. text(at - 1))
  redis.call('XADD', log, id, 'e', event)
end

if epoch ~= ARGV[5] then beginAnew() else makeRoom() end
for at = FIRST, #ARGV do add(first + at - FIRST, ARGV[at]) end
redis.call('HSET', KEYS[1], 'epoch', ARGV[5], 'seq', ARGV[6], 'link', ARGV[7], 'floor', floor,
  'beaconAt', ARGV[8], 'bytes', ARGV[9], 'no', no)
keep()
return { ARGV[1], 'appended' }
`,
)

/**
 * Refreshes the seal of the head. Arguments: the position expected, the new beaconAt and bytes. Returns `touched` or
 * `refused`.
 */
export const TOUCH = over(
  HEAD_WHEN_FULL,
  `
if not epoch or not isExpected() then return { ARGV[1], 'refused' } end
redis.call('HSET', KEYS[1], 'beaconAt', ARGV[5], 'bytes', ARGV[6])
keep()
return { ARGV[1], 'touched' }
`,
)

/** Raises the floor and drops a batch of events below it. Argument: the last seq to drop. Returns `done` or `more`. */
export const TRIM = over(
  HEAD_WHEN_FULL,
  `
if not epoch then return { ARGV[1], 'done' } end
local lowest = math.min(tonumber(ARGV[2]), tonumber(seq)) + 1
if lowest <= tonumber(floor) then lowest = tonumber(floor) end
redis.call('HSET', KEYS[1], 'floor', text(lowest))
local first = range('0', 1)[1]
local upTo = first and math.min(lowest, seqOf(first[1]) + ${MOST_DROPPED}) or lowest
redis.call('XTRIM', log, 'MINID', '=', no .. '-' .. text(upTo))
return { ARGV[1], upTo < lowest and 'more' or 'done' }
`,
)

/** Deletes the log and the snapshot. */
export const RESET = defineScript(`${HEAD_WHEN_FULL}
local current = KEYS[1] .. ':snapshot'
if redis.call('TYPE', current).ok == 'hash' then
  local generation = redis.call('HGET', current, 'generation')
  if generation then redis.call('UNLINK', current .. ':' .. generation) end
end
redis.call('UNLINK', KEYS[1], KEYS[1] .. ':log', current)
return { ARGV[1], 'reset' }
`)

const SNAPSHOT = `${TYPES}
local current = KEYS[1] .. ':snapshot'
local function chunksOf(generation)
  return current .. ':' .. generation
end
local wrong = wrongType(current, 'hash')
if wrong then return wrong end
`

/** Adds a chunk. Arguments: the generation, the chunk. */
export const ADD_CHUNK = defineScript(`${HEAD}${SNAPSHOT}
redis.call('RPUSH', chunksOf(ARGV[2]), ARGV[3])
redis.call('EXPIRE', chunksOf(ARGV[2]), ${UNFINISHED_SECONDS})
return { ARGV[1], 'added' }
`)

/**
 * Makes a generation the current snapshot. Arguments: the generation, the number of its chunks. Returns `done` or
 * `lost`.
 */
export const COMPLETE_SNAPSHOT = defineScript(`${HEAD_WHEN_FULL}${SNAPSHOT}
if redis.call('LLEN', chunksOf(ARGV[2])) ~= tonumber(ARGV[3]) then return { ARGV[1], 'lost' } end
local replaced = redis.call('HGET', current, 'generation')
redis.call('HSET', current, 'generation', ARGV[2], 'count', ARGV[3])
redis.call('PERSIST', chunksOf(ARGV[2]))
if replaced then redis.call('EXPIRE', chunksOf(replaced), ${REPLACED_SECONDS}) end
return { ARGV[1], 'done' }
`)

/** Drops an abandoned generation. Argument: the generation. */
export const DROP_SNAPSHOT = defineScript(`${HEAD_WHEN_FULL}${SNAPSHOT}
redis.call('UNLINK', chunksOf(ARGV[2]))
return { ARGV[1], 'dropped' }
`)

/** Finds the snapshot. Returns `found`, its generation and the number of its chunks, or `none`. */
export const FIND_SNAPSHOT = defineScript(`${HEAD_WHEN_FULL}${SNAPSHOT}
local generation, count = unpack(redis.call('HMGET', current, 'generation', 'count'))
if not generation or #generation > 64 or not count or #count > 9 then return { ARGV[1], 'none' } end
wrong = wrongType(chunksOf(generation), 'list')
if wrong then return wrong end
if redis.call('LLEN', chunksOf(generation)) ~= tonumber(count) then return { ARGV[1], 'none' } end
return { ARGV[1], 'found', generation, count }
`)

/** Reads chunks. Arguments: the generation, the number of chunks to skip. Returns the chunks, or `damaged`. */
export const READ_CHUNKS = defineScript(`${HEAD_WHEN_FULL}${SNAPSHOT}
wrong = wrongType(chunksOf(ARGV[2]), 'list')
if wrong then return wrong end
local from = tonumber(ARGV[3])
local chunks = redis.call('LRANGE', chunksOf(ARGV[2]), from, from + ${CHUNKS_READ} - 1)
for _, chunk in ipairs(chunks) do
  if #chunk > ${MAX_EVENT_BYTES} then return { ARGV[1], 'damaged' } end
end
return { ARGV[1], 'chunks', unpack(chunks) }
`)
