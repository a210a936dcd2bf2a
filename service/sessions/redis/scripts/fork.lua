-- ARGV: asked, row, cut. Copies have ids already, so that they are made once.
local session, problem = find(asked.id, asked.asker)
if not session then return problem end
local copies = {}
for _, copy in ipairs(asked.copies) do
  if not value_of(copy.id) then
    if #copies == 0 then sweep() end
    insert(copy.id, asked.asker, asked.protected, asked.account, new_moment(), session[8])
    redis.call('HSET', 'lstm:s:' .. copy.id, 'parent', asked.id, 'model', session[4],
      'seed', copy.seed, 'version', session[6], 'num_tokens', session[7])
    for _, kind in ipairs({'t', 'm', 'c'}) do
      redis.call('COPY', 'lstm:' .. kind .. ':' .. asked.id, 'lstm:' .. kind .. ':' .. copy.id)
    end
    for _, turn in ipairs(turns_of(copy.id)) do -- but not the names that a client gave to turns
      if turn.name ~= '' then
        redis.call('HSET', 'lstm:m:' .. copy.id, whole(turn.version), table.concat(
          {whole(turn.num_bytes), turn.at_s, whole(turn.num_tokens), whole(turn.own), ''}, ':'))
      end
    end
    local row = redis.call('HGET', 'lstm:s:' .. asked.id, 'row')
    if row then redis.call('HSET', 'lstm:s:' .. copy.id, 'row', row) end
    if asked.back then
      redis.call('HSET', 'lstm:s:' .. copy.id, 'num_tokens', whole(asked.back.position))
      local grown = set_row(copy.id, asked.back.has_row, ARGV[2])
      grow(copy.id, asked.account, grown + go_back(copy.id, asked.back, ARGV[3]))
    end
  end
  table.insert(copies, value_of(copy.id))
end
return {'ok', copies, holdings(asked.account), swept}
