-- Say that a process runs, or that it does not any more.
if asked.alive_ms > 0 then
  redis.call('SET', 'lstm:alive:' .. asked.holder, '', 'PX', asked.alive_ms)
else
  redis.call('DEL', 'lstm:alive:' .. asked.holder)
end
return {'ok'}
