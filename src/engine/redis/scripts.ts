/** For scripts that are to run even if Redis has reached `maxmemory`: they take hardly any, or make room. */
const EVEN_IF_FULL = "#!lua flags=allow-oom\n";

/**
 * What runs inside Redis. Each script is one step that nothing comes between.
 *
 * Every script of a topic gets the same keys: head, stream, ids, members, topics, state. Its first argument has fields, as
 * each argument costs: the server's run id, an epoch that was never used, the epoch and the newest number that the caller
 * knows, the topic's channel, its name, and the life of the data.
 */
const TOPIC = `
local function fields(text, count)
  return string.match(text, '^' .. string.rep('(.-)\\30', count - 1) .. '(.*)$')
end
local RUN, FRESH, EPOCH, SEQ, CHANNEL, NAME, LIFE = fields(ARGV[1], 7)
local function isLost()
  return redis.call('ZSCORE', KEYS[5], NAME) or redis.call('HGET', KEYS[6], 'life') ~= LIFE
end
local function missing()
  return redis.error_reply(isLost() and 'LOST topic' or 'MISSING topic')
end
local function make(epoch, born, prev)
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'born', born, 'epoch', epoch, 'prev', prev, 'base', 0, 'seq', 0, 'run', RUN, 'ts', 0)
  redis.call('HSET', KEYS[1], 'life', LIFE)
  redis.call('ZADD', KEYS[5], redis.call('HINCRBY', KEYS[6], 'created', 1), NAME)
  return {born, epoch, prev, 0, 0, RUN, 0}
end
-- A topic of another life of the data is none of those that the caller knows: first it has to find out.
-- Another server may be behind what was acknowledged, so its first word on a topic is a new epoch.
local function topic()
  local h = redis.call('HMGET', KEYS[1], 'born', 'epoch', 'prev', 'base', 'seq', 'run', 'ts', 'life')
  if h[8] ~= LIFE then return nil end
  if h[6] ~= RUN or (h[2] == EPOCH and tonumber(h[5]) < tonumber(SEQ)) then
    redis.call('HSET', KEYS[1], 'epoch', FRESH, 'prev', h[2], 'base', h[5], 'run', RUN)
    redis.call('PUBLISH', CHANNEL, 'r')
    h = {h[1], FRESH, h[2], h[5], h[5], RUN, h[7]}
  end
  return h
end
local function number(n)
  return string.format('%.0f', n)
end
`;

/**
 * Its second argument has fields, too: a tag, how many messages the stream keeps, how many are history, whether to dedupe,
 * the trace, the most bytes of an entry and its number, the most topics if a missing one is created, and what it is then
 * born as. All others are entries.
 */
const PUBLISH = `${TOPIC}
local tag, keep, history, dedupe, trace, room, most, born = fields(ARGV[2], 8)
local h = topic()
if not h then
  if most == '' or isLost() then return missing() end
  if redis.call('ZCARD', KEYS[5]) >= tonumber(most) then return redis.error_reply('LIMIT topics') end
  h = make(FRESH, born, '')
end
local base, seq = tonumber(h[4]), tonumber(h[5])
local entries = {}
if dedupe == '1' then
  -- Also what was published before this epoch began and is still there: it was delivered.
  local before = math.max(0, seq - tonumber(history))
  local seen, first, last, count = {}, nil, 0, 0
  for i = 3, #ARGV do
    local id = string.lower(string.sub(ARGV[i], 1, 36))
    local at = tonumber(redis.call('ZSCORE', KEYS[3], id)) or 0
    if at > before then
      if not seen[at] then count = count + 1 end
      seen[at] = true
      first = math.min(first or at, at)
      last = math.max(last, at)
    elseif not seen[id] then
      seen[id] = true
      entries[#entries + 1] = ARGV[i]
    end
  end
  if #entries == 0 then
    local known = redis.call('XRANGE', KEYS[2], number(last) .. '-0', number(last) .. '-0')
    local at = known[1] and tonumber(string.match(known[1][2][2], '^%d+')) or tonumber(h[7])
    return {last > base and h[2] or h[3], first, last, at, count, 1, h[1]}
  end
else
  for i = 3, #ARGV do entries[i - 2] = ARGV[i] end
end
if room ~= '' then
  for i, entry in ipairs(entries) do
    local size = #entry + #number(seq + i)
    if size > tonumber(room) then return redis.error_reply('TOOLARGE ' .. #entries .. ' ' .. (i - 1) .. ' ' .. size) end
  end
end
local now = redis.call('TIME')
local ts = math.max(now[1] * 1000 + math.floor(now[2] / 1000), tonumber(h[7]))
local meta = number(ts) .. ' ' .. trace
local first, skipped = seq + 1, #entries - tonumber(keep)
for i, entry in ipairs(entries) do
  seq = seq + 1
  if i > skipped then redis.call('XADD', KEYS[2], 'MAXLEN', keep, number(seq) .. '-0', 'h', meta, 'm', entry) end
  if dedupe == '1' then redis.call('ZADD', KEYS[3], seq, string.lower(string.sub(entry, 1, 36))) end
end
if dedupe == '1' then redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', seq - tonumber(history)) end
redis.call('HSET', KEYS[1], 'seq', number(seq), 'ts', number(ts))
redis.call('PUBLISH', CHANNEL, table.concat({'e' .. tag, h[2], number(first), meta, table.concat(entries, '\\30')}, '\\30'))
return {h[2], first, seq, ts, #entries, 0, h[1]}`;

/** 2 what to do if the topic is missing: find, ensure, create, restore; 3 the most topics, 4 an epoch, 5 what it is born as, 6 the epoch before. */
const OPEN = `${EVEN_IF_FULL}${TOPIC}
local mode = ARGV[2]
if mode == 'restore' and redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HGET', KEYS[1], 'life') ~= LIFE then
  redis.call('HSET', KEYS[1], 'life', LIFE, 'run', '')
end
local h = topic()
if h then
  if mode == 'create' then return redis.error_reply('EXISTS topic') end
  return {0, h[1], h[2], tonumber(h[5]), h[3], tonumber(h[4])}
end
if mode ~= 'restore' then
  if mode == 'find' or isLost() then return missing() end
  if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[3]) then return redis.error_reply('LIMIT topics') end
end
h = make(ARGV[4], ARGV[5], ARGV[6])
return {1, h[1], h[2], 0, h[3], 0}`;

/** 2 the first number, 3 the last or nothing, 4 how many of the newest of this epoch or nothing, 5 about how many bytes. */
const READ = `${EVEN_IF_FULL}${TOPIC}
local h = topic()
if not h then return missing() end
local base, seq = tonumber(h[4]), tonumber(h[5])
local from, to = tonumber(ARGV[2]), tonumber(ARGV[3]) or seq
if ARGV[4] ~= '' then from = math.max(from, base + 1, seq - tonumber(ARGV[4]) + 1) end
local head = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
local oldest = head[1] and tonumber(string.match(head[1][1], '^%d+')) or seq + 1
local found, size, more, step = {}, 0, 0, 16
from = math.max(from, oldest)
while from <= to do
  local page = redis.call('XRANGE', KEYS[2], number(from) .. '-0', number(to) .. '-0', 'COUNT', step)
  for _, entry in ipairs(page) do
    if size >= tonumber(ARGV[5]) then
      more = 1
      break
    end
    local at = tonumber(string.match(entry[1], '^%d+'))
    found[#found + 1] = {at, entry[2][2], entry[2][4]}
    size = size + #entry[2][4]
    from = at + 1
  end
  if more == 1 or #page < step then break end
  step = math.min(2 * step, 512)
end
return {h[1], h[2], h[3], base, seq, oldest, more, found}`;

/**
 * 2 a client_id, 3 the node that it subscribes at, `ID.CONNECTION`, 4 whose it is, 5 the number that the node gives the claim, 6
 * whether another node keeps what it has, 7 and 8 what the key and the channel of a node begin with.
 */
const CLAIM = `${EVEN_IF_FULL}${TOPIC}
local function idOf(node)
  return string.match(node, '^[^.]+')
end
local h = topic()
if not h then return missing() end
local held = redis.call('HGET', KEYS[4], ARGV[2])
local holder, claim, owner
if held then holder, claim, owner = string.match(held, '^(%S+) (%d+) (.*)$') end
if holder and idOf(holder) ~= idOf(ARGV[3]) and redis.call('EXISTS', ARGV[7] .. holder) == 1 then
  if ARGV[6] == '1' then return {0, h[2], tonumber(h[5])} end
  if owner ~= ARGV[4] then return redis.error_reply('OWNED id') end
  redis.call('PUBLISH', ARGV[8] .. idOf(holder), cjson.encode({'replaced', NAME, ARGV[2], tonumber(claim)}))
end
redis.call('HSET', KEYS[4], ARGV[2], ARGV[3] .. ' ' .. ARGV[5] .. ' ' .. ARGV[4])
if not held then redis.call('HINCRBY', KEYS[6], 'members', 1) end
return {1, h[2], tonumber(h[5])}`;

/** From 2 on: a client_id, and what the value of its claim begins with; and so on. */
const RELEASE = `${EVEN_IF_FULL}
local freed = 0
for i = 2, #ARGV, 2 do
  local held = redis.call('HGET', KEYS[4], ARGV[i])
  if held and string.sub(held, 1, #ARGV[i + 1]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[4], ARGV[i])
    freed = freed + 1
  end
end
if freed > 0 then redis.call('HINCRBY', KEYS[6], 'members', 0 - freed) end
return freed`;

/** 2 the channel that every node hears. */
const DELETE = `${EVEN_IF_FULL}${TOPIC}
local h = topic()
if not h then return missing() end
redis.call('HINCRBY', KEYS[6], 'members', number(0 - redis.call('HLEN', KEYS[4])))
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('ZREM', KEYS[5], NAME)
redis.call('PUBLISH', ARGV[2], cjson.encode({'deleted', h[1], NAME}))
return 1`;

/** Of heads and members in turn: what each topic was born as, its epoch, newest number, run, life, and how many members it has. */
const LIST = `
local found = {}
for i = 1, #KEYS, 2 do
  local h = redis.call('HMGET', KEYS[i], 'born', 'epoch', 'seq', 'run', 'life')
  local members = redis.call('HLEN', KEYS[i + 1])
  found[#found + 1] = {h[1] or '', h[2] or '', tonumber(h[3]) or 0, h[4] or '', h[5] or '', members}
end
return found`;

/** A sign of life. Keys: nodes, the node's own; 1 its name, 2 what it shows of itself, 3 for how long, in milliseconds. */
const BEAT = `${EVEN_IF_FULL}
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('EXISTS', KEYS[2])
redis.call('HSET', KEYS[2], 'info', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[1], ms, ARGV[1])
return {known, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms - tonumber(ARGV[3]), 'LIMIT', 0, 16)}`;

export const SCRIPTS = {
  publish: PUBLISH,
  open: OPEN,
  read: READ,
  claim: CLAIM,
  release: RELEASE,
  delete: DELETE,
  list: LIST,
  beat: BEAT,
} as const;

export type ScriptName = keyof typeof SCRIPTS;
