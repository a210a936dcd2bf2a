-- By its fence; or by the name of the reservation, of which nobody knows whether it was made.
local lease = redis.call('HMGET', 'lstm:s:' .. asked.id, 'fence', 'reservation')
if lease[1] and (lease[1] == asked.fence or lease[2] == asked.reservation) then
  redis.call('HSET', 'lstm:s:' .. asked.id, 'leased_until_s', 0)
end
return {'ok'}
