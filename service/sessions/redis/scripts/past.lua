local session, problem = find(asked.id, asked.asker)
if not session then return problem end
local start, row = 0, false
local places = redis.call('HKEYS', 'lstm:c:' .. asked.id)
if asked.position == tonumber(session[7]) then
  start, row = asked.position, redis.call('HGET', 'lstm:s:' .. asked.id, 'row')
else
  for _, place in ipairs(places) do
    if tonumber(place) <= asked.position then start = math.max(start, tonumber(place)) end
  end
  row = redis.call('HGET', 'lstm:c:' .. asked.id, whole(start))
end
local turns = {}
for _, turn in ipairs(turns_of(asked.id)) do
  local begins = turn.num_tokens - turn.own
  if turn.num_tokens > start and begins < asked.position and turn.own > 0 then
    table.insert(turns, as_answer(asked.id, turn))
  end
end
return {'ok', row, whole(start), turns, places}
