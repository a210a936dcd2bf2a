local at = 'lstm:s:' .. asked.id
if redis.call('HGET', at, 'fence') == asked.fence then
  redis.call('HSET', at, 'leased_until_s', 0)
end
return {'ok'}
