-- ARGV: asked, digest, row, record, cut, then the row of each checkpoint that is new.
local session, problem = find(asked.id, asked.asker, true)
if not session then return problem end
local at = 'lstm:s:' .. asked.id
local lease = redis.call('HMGET', at, 'fence', 'leased_until_s', 'committed', 'account')
local fence, until_s, committed, account = tonumber(lease[1]), tonumber(lease[2]), lease[3], lease[4]
-- Its answer was lost: the session as the turn has left it, whatever has come after.
local latest = {}
for commit in string.gmatch(committed or '', '%S+') do
  local of, version, num_tokens, num_bytes, used_s =
    string.match(commit, '^(%d+):(%d+):(%d+):(%d+):(.+)$')
  if tonumber(of) == asked.fence then
    session[6], session[7], session[8], session[10] = version, num_tokens, num_bytes, used_s
    return {'ok', session, holdings(account), account}
  end
  if of then table.insert(latest, commit) end -- an earlier program kept a fence only
end
if fence ~= asked.fence or until_s <= 0 then return {'busy'} end
local version = redis.call('HINCRBY', at, 'version', 1)
redis.call('HSET', at, 'num_tokens', whole(asked.num_tokens), 'used_s', exact(now_s),
  'leased_until_s', 0)
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
local num_bytes = redis.call('HGET', at, 'num_bytes')
table.insert(latest, table.concat(
  {whole(fence), version, whole(asked.num_tokens), num_bytes, exact(now_s)}, ':'))
while #latest > asked.max_commits do table.remove(latest, 1) end
redis.call('HSET', at, 'committed', table.concat(latest, ' '))
return {'ok', value_of(asked.id), holdings(account), account}
