local session, problem = find(asked.id, asked.asker)
if not session then return problem end
local row = asked.with_row and redis.call('HGET', 'lstm:s:' .. asked.id, 'row')
return {'ok', session, row}
