-- What all scripts share: it is put before each of them. A script runs as a whole, and nothing else
-- meanwhile (https://redis.io/docs/latest/develop/programmability/eval-intro/), so each is a
-- transaction. All of it is in one database: keys are made here, and not named in KEYS.
--
-- lstm:s:ID    hash    the session, its lease, its row
-- lstm:t:ID    hash    version -> what the turn was, of `pack_record`
-- lstm:m:ID    hash    version -> "bytes:at_s:tokens after it:tokens of it:its client's name for it"
-- lstm:k:ID    hash    a client's name for a turn -> "version:digest"
-- lstm:c:ID    hash    position -> the row there
-- lstm:o:OWNER zset    ids by the time of creation;   lstm:created  the same of all owners
-- lstm:a:ACCOUNT zset  ids by the time of last use;   lstm:used     the same of all accounts
-- lstm:accounts:sessions, lstm:accounts:bytes   zset  what each account has;   lstm:bytes  all
-- lstm:graves  hash    id -> "protected owner NUL reason";   lstm:graves:order  zset, oldest first
-- lstm:alive:HOLDER    while that process runs

local SCHEMA = 1
local FIELDS = {
  'owner', 'parent', 'model', 'seed', 'version', 'num_tokens', 'num_bytes', 'created_s', 'used_s',
}

local asked = cjson.decode(ARGV[1])

local schema = redis.call('GET', 'lstm:schema')
if not schema then
  redis.call('SET', 'lstm:schema', SCHEMA)
elseif tonumber(schema) > SCHEMA then
  return {'too new', schema}
end

local function whole(number) return string.format('%.0f', number + 0) end -- without a -0
local function exact(number) return string.format('%.17g', number) end

-- Redis's own time, so that replicas whose clocks differ agree; tests bring theirs.
local function clock()
  if asked.now_s then return asked.now_s end
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end

local now_s = clock()

local function value_of(id)
  local values = redis.call('HMGET', 'lstm:s:' .. id, unpack(FIELDS))
  if not values[1] then return nil end
  table.insert(values, 1, id)
  return values
end

local function is_leased(id)
  local lease = redis.call('HMGET', 'lstm:s:' .. id, 'leased_until_s', 'holder')
  return tonumber(lease[1]) > now_s and redis.call('EXISTS', 'lstm:alive:' .. lease[2]) == 1
end

-- The session as an answer has it, or nil and the answer that says why there is none.
local function find(id, asker, at_any_age)
  local value = value_of(id)
  if value then
    local protected = redis.call('HGET', 'lstm:s:' .. id, 'protected')
    if protected ~= '' and protected ~= asker then return nil, {'unknown'} end
    local created_s, used_s = tonumber(value[9]), tonumber(value[10])
    local is_over = used_s + asked.idle_ttl_s <= now_s or created_s + asked.max_age_s <= now_s
    if is_over and not at_any_age and not is_leased(id) then
      return nil, {'over', value[9], value[10], exact(now_s)}
    end
    return value
  end
  local grave = redis.call('HGET', 'lstm:graves', id)
  if not grave then return nil, {'unknown'} end
  local protected, reason = string.match(grave, '^(%Z*)%z(.*)$')
  if protected ~= '' and protected ~= asker then return nil, {'unknown'} end
  return nil, {'gone', reason}
end

-- Room

local function count(account, num_sessions, num_bytes)
  local left = redis.call('ZINCRBY', 'lstm:accounts:sessions', num_sessions, account)
  redis.call('ZINCRBY', 'lstm:accounts:bytes', whole(num_bytes), account)
  redis.call('INCRBY', 'lstm:bytes', whole(num_bytes))
  if tonumber(left) <= 0 then
    redis.call('ZREM', 'lstm:accounts:sessions', account)
    redis.call('ZREM', 'lstm:accounts:bytes', account)
  end
end

local function grow(id, account, num_bytes)
  redis.call('HINCRBY', 'lstm:s:' .. id, 'num_bytes', whole(num_bytes))
  count(account, 0, num_bytes)
end

-- What an account has, and all together.
local function holdings(account)
  return {
    redis.call('ZSCORE', 'lstm:accounts:sessions', account) or '0',
    redis.call('ZSCORE', 'lstm:accounts:bytes', account) or '0',
    whole(redis.call('ZCARD', 'lstm:used')),
    redis.call('GET', 'lstm:bytes') or '0',
  }
end

local function bury(id, reason)
  local session = redis.call('HMGET', 'lstm:s:' .. id, 'owner', 'account', 'protected', 'num_bytes')
  local owner, account, protected, num_bytes = unpack(session)
  redis.call('DEL', 'lstm:s:' .. id, 'lstm:t:' .. id, 'lstm:m:' .. id, 'lstm:k:' .. id,
    'lstm:c:' .. id)
  redis.call('ZREM', 'lstm:o:' .. owner, id)
  redis.call('ZREM', 'lstm:a:' .. account, id)
  redis.call('ZREM', 'lstm:created', id)
  redis.call('ZREM', 'lstm:used', id)
  count(account, -1, -num_bytes)
  redis.call('HSET', 'lstm:graves', id, protected .. '\0' .. reason)
  redis.call('ZADD', 'lstm:graves:order', redis.call('INCR', 'lstm:graves:number'), id)
  local num_many = redis.call('ZCARD', 'lstm:graves:order') - asked.max_tombstones
  if num_many > 0 then
    local oldest = redis.call('ZPOPMIN', 'lstm:graves:order', num_many)
    for n = 1, #oldest, 2 do redis.call('HDEL', 'lstm:graves', oldest[n]) end
  end
end

-- Bury some of those whose time is over: few, so that no request waits for thousands. Returns how
-- many.
local function sweep_by(index, before_s, reason)
  local num_buried, num_seen = 0, 0
  while num_buried < 20 and num_seen < 1000 do
    local over = redis.call('ZRANGEBYSCORE', index, '-inf', exact(before_s), 'LIMIT',
      num_seen - num_buried, 20)
    for _, id in ipairs(over) do
      num_seen = num_seen + 1
      if not is_leased(id) then
        bury(id, reason)
        num_buried = num_buried + 1
      end
    end
    if #over < 20 then break end
  end
  return num_buried
end

local swept = {0, 0} -- for being idle, for their age: whoever sweeps answers this last

local function sweep()
  swept = {
    sweep_by('lstm:used', now_s - asked.idle_ttl_s, asked.why_idle),
    sweep_by('lstm:created', now_s - asked.max_age_s, asked.why_old),
  }
end

-- Making

local function new_moment()
  -- No two sessions of one moment: pages go on from a time.
  local last_s = tonumber(redis.call('GET', 'lstm:last_created') or '0')
  local moment_s = math.max(now_s, last_s + 0.000001)
  redis.call('SET', 'lstm:last_created', exact(moment_s))
  return moment_s
end

local function insert(id, owner, protected, account, created_s, num_bytes)
  redis.call('HSET', 'lstm:s:' .. id, 'owner', owner, 'protected', protected, 'account', account,
    'num_bytes', whole(num_bytes), 'created_s', exact(created_s), 'used_s', exact(created_s),
    'fence', 0, 'leased_until_s', 0, 'holder', '')
  redis.call('ZADD', 'lstm:o:' .. owner, exact(created_s), id)
  redis.call('ZADD', 'lstm:a:' .. account, exact(created_s), id)
  redis.call('ZADD', 'lstm:created', exact(created_s), id)
  redis.call('ZADD', 'lstm:used', exact(created_s), id)
  count(account, 1, num_bytes)
end

-- Turns

-- All turns of a session that are remembered, the oldest first.
local function turns_of(id)
  local all, turns = redis.call('HGETALL', 'lstm:m:' .. id), {}
  for n = 1, #all, 2 do
    local num_bytes, at_s, num_tokens, own, name =
      string.match(all[n + 1], '^(%d+):([^:]*):(%d+):(%d+):(.*)$')
    table.insert(turns, {
      version = tonumber(all[n]), num_bytes = tonumber(num_bytes), at_s = at_s,
      num_tokens = tonumber(num_tokens), own = tonumber(own), name = name,
    })
  end
  table.sort(turns, function(a, b) return a.version < b.version end)
  return turns
end

local function as_answer(id, turn)
  local version = whole(turn.version)
  local record = redis.call('HGET', 'lstm:t:' .. id, version)
  return {version, turn.at_s, whole(turn.num_tokens), record}
end

-- Returns how many bytes it had.
local function forget(id, version)
  local meta = redis.call('HGET', 'lstm:m:' .. id, version)
  if not meta then return 0 end
  local num_bytes, name = string.match(meta, '^(%d+):[^:]*:%d+:%d+:(.*)$')
  redis.call('HDEL', 'lstm:m:' .. id, version)
  redis.call('HDEL', 'lstm:t:' .. id, version)
  if name ~= '' then redis.call('HDEL', 'lstm:k:' .. id, name) end
  return tonumber(num_bytes)
end

-- Returns how many bytes more the session takes, or fewer.
local function remember(id, version, at_s, num_tokens, turn, record, name, digest)
  local grown = turn.num_bytes - forget(id, whole(version - asked.max_turns))
  local meta = table.concat(
    {whole(turn.num_bytes), at_s, whole(num_tokens), whole(turn.num_tokens), name}, ':')
  redis.call('HSET', 'lstm:m:' .. id, whole(version), meta)
  redis.call('HSET', 'lstm:t:' .. id, whole(version), record)
  if name ~= '' then
    redis.call('HSET', 'lstm:k:' .. id, name, whole(version) .. ':' .. digest)
  end
  return grown
end

-- Forget what came after a place; returns how many bytes more the session takes: mostly below 0.
local function go_back(id, back, cut)
  local grown, first = 0, nil
  for _, turn in ipairs(turns_of(id)) do
    if turn.num_tokens > back.since then
      first = first or turn
      grown = grown - forget(id, whole(turn.version))
    end
  end
  if back.cut then
    -- Without the name that a client gave to it: it is not what was asked for any more.
    grown = grown + remember(id, first.version, first.at_s, back.position, back.cut, cut, '', '')
  end
  for _, place in ipairs(redis.call('HKEYS', 'lstm:c:' .. id)) do
    if tonumber(place) >= back.since then
      grown = grown - redis.call('HSTRLEN', 'lstm:c:' .. id, place)
      redis.call('HDEL', 'lstm:c:' .. id, place)
    end
  end
  return grown
end

-- Returns how many bytes more the session takes.
local function set_row(id, has_row, content)
  local before = redis.call('HSTRLEN', 'lstm:s:' .. id, 'row')
  if has_row then
    redis.call('HSET', 'lstm:s:' .. id, 'row', content)
    return #content - before
  end
  redis.call('HDEL', 'lstm:s:' .. id, 'row')
  return -before
end
