-- ARGV: asked, digest, row, record, cut, then the row of each checkpoint that is new.
local session, problem = find(asked.id, asked.asker, true)
if not session then return problem end
local at = 'lstm:s:' .. asked.id
local lease = redis.call('HMGET', at, 'fence', 'leased_until_s', 'committed', 'account')
local fence, until_s, committed, account = tonumber(lease[1]), tonumber(lease[2]), lease[3], lease[4]
if not committed or tonumber(committed) ~= asked.fence then -- else its answer was lost
  if fence ~= asked.fence or until_s <= 0 then return {'busy'} end
  local version = redis.call('HINCRBY', at, 'version', 1)
  redis.call('HSET', at, 'num_tokens', whole(asked.num_tokens), 'used_s', exact(now_s),
    'leased_until_s', 0, 'committed', whole(fence))
  redis.call('ZADD', 'lstm:used', exact(now_s), asked.id)
  redis.call('ZADD', 'lstm:a:' .. account, exact(now_s), asked.id)
  local grown = set_row(asked.id, asked.has_row, ARGV[3])
  if asked.back then grown = grown + go_back(asked.id, asked.back, ARGV[5]) end
  local rows = 'lstm:c:' .. asked.id
  for _, place in ipairs(asked.dropped) do
    grown = grown - redis.call('HSTRLEN', rows, whole(place))
    redis.call('HDEL', rows, whole(place))
  end
  for n, place in ipairs(asked.kept) do
    redis.call('HSET', rows, whole(place), ARGV[5 + n])
    grown = grown + #ARGV[5 + n]
  end
  if asked.turn then
    grown = grown + remember(asked.id, version, exact(now_s), asked.num_tokens, asked.turn,
      ARGV[4], asked.name or '', ARGV[2])
  end
  grow(asked.id, account, grown)
end
return {'ok', value_of(asked.id), holdings(account), account}
