local found, num_seen = {}, 0
while #found <= asked.limit do
  local ids = redis.call('ZREVRANGEBYSCORE', 'lstm:o:' .. asked.owner, asked.older_than, '-inf',
    'LIMIT', num_seen, asked.limit + 1)
  for _, id in ipairs(ids) do
    local session = #found <= asked.limit and find(id, asked.owner)
    if session then table.insert(found, session) end
  end
  if #ids <= asked.limit then break end
  num_seen = num_seen + #ids
end
return {'ok', found}
