-- ARGV: asked, row, record.
if not value_of(asked.id) then -- else it was sent again after an answer that was lost
  sweep()
  local created_s = new_moment()
  insert(asked.id, asked.owner, asked.protected, asked.account, created_s, asked.num_bytes)
  redis.call('HSET', 'lstm:s:' .. asked.id, 'parent', '', 'model', asked.model, 'seed', asked.seed,
    'version', 0, 'num_tokens', whole(asked.num_tokens))
  set_row(asked.id, asked.has_row, ARGV[2])
  if asked.turn then
    remember(asked.id, 0, exact(created_s), asked.num_tokens, asked.turn, ARGV[3], '', '')
  end
end
return {'ok', value_of(asked.id), holdings(asked.account), swept}
