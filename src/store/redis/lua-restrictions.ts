/**
 * The scripts for restrictions.
 *
 * The keys, after `{prefix}:`, where a name is the kind, a colon and the value of a register:
 *
 * - `restriction:<name>`: a hash for each register, with its name as `id`
 * - `restrictions`: the names, as a sorted set with equal scores. No kind begins with another, so the order of their
 *   bytes is the order of lists
 * - `expiry-of-restrictions`: the names by expiry
 *
 * A change is `x:` and the name, among the others in `changes`. Older versions skip it there.
 *
 * @module
 */
import { BATCH, defineScript } from '../../clients/redis/script.js'
import { AUDIT } from './lua-audit.js'
import { plain, REGISTERS } from './lua-common.js'

/**
 * Writes the next revision of a register, also when memory is full, as for a revocation. Arguments: the record, then the
 * rows of the audit. Returns `written`, or `changed` and the current record, if there is one.
 */
export const WRITE_RESTRICTION = defineScript(
  plain(`${REGISTERS}${AUDIT}
local next, flat = pairsAt(2)
local id = next.kind .. ':' .. next.value
local row, current = register(id)

local function isDone()
  for field, text in pairs(next) do
    if row[field] ~= text then return false end
  end
  for field in pairs(row) do
    if field ~= 'id' and next[field] == nil then return false end
  end
  return true
end

-- Nothing for an unreadable revision, which is no revision's predecessor.
local revision = 0
if row then revision = tonumber(row.revision or '') end
if revision ~= tonumber(next.revision) - 1 then
  if row and isDone() then return { ARGV[1], 'written' } end
  return { ARGV[1], 'changed', current }
end
audit()
redis.call('ZADD', key('restrictions'), 0, id)
redis.call('ZADD', key('expiry-of-restrictions'), next.expiresAt, id)
arrive('x', id)
-- Last, because it cannot fail: a repeated call finds either the former revision or all of this one.
redis.call('DEL', key('restriction', id))
redis.call('HSET', key('restriction', id), 'id', id, unpack(flat))
return { ARGV[1], 'written' }
`),
)

/** Reads a register. Argument: its name. Returns `row` and the record, or `none`. */
export const READ_RESTRICTION = defineScript(
  plain(`${REGISTERS}
local _, flat = register(ARGV[2])
if flat then return { ARGV[1], 'row', flat } end
return { ARGV[1], 'none' }
`),
)

/** Reads a page of registers. Arguments: the name to begin after, the page size. */
export const LIST_RESTRICTIONS = defineScript(
  plain(`
return readPage('restrictions', 'restriction')
`),
)

/** Removes a batch of registers. Argument: the highest expiry to remove. Returns `done` and the number removed. */
export const PURGE_RESTRICTIONS = defineScript(
  plain(`
local ids = redis.call(
  'ZRANGE', key('expiry-of-restrictions'), '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, ${BATCH})
for _, id in ipairs(ids) do
  redis.call('ZREM', key('changes'), 'x:' .. id)
  redis.call('ZREM', key('restrictions'), id)
  redis.call('ZREM', key('expiry-of-restrictions'), id)
  redis.call('DEL', key('restriction', id))
end
return { ARGV[1], 'done', #ids }
`),
)
