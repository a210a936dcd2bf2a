-- ARGV: asked, digest of the turn.
local session, problem = find(asked.id, asked.asker)
if not session then return problem end
local at = 'lstm:s:' .. asked.id
local name = asked.name and redis.call('HGET', 'lstm:k:' .. asked.id, asked.name)
if name then
  local version, digest = string.match(name, '^(%d+):(.*)$')
  if digest ~= ARGV[2] then return {'taken'} end
  sweep()
  return {'recorded', session, redis.call('HGET', 'lstm:t:' .. asked.id, version), swept}
end
-- Who asks again after an answer that was lost has the lease already.
if redis.call('HGET', at, 'reservation') ~= asked.reservation or not is_leased(asked.id) then
  if is_leased(asked.id) then return {'busy'} end
  if asked.version and asked.version ~= tonumber(session[6]) then
    return {'changed', session[6]}
  end
  sweep()
  redis.call('SET', 'lstm:alive:' .. asked.holder, '', 'PX', asked.alive_ms)
  redis.call('HINCRBY', at, 'fence', 1)
  redis.call('HSET', at, 'leased_until_s', exact(now_s + asked.lease_s), 'holder', asked.holder,
    'reservation', asked.reservation)
end
local places = redis.call('HKEYS', 'lstm:c:' .. asked.id)
local row, fence = unpack(redis.call('HMGET', at, 'row', 'fence'))
return {'ok', session, row, fence, places, swept}
