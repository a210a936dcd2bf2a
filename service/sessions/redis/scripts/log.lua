local session, problem = find(asked.id, asked.asker)
if not session then return problem end
local turns = {}
for _, turn in ipairs(turns_of(asked.id)) do
  if turn.version > asked.after and #turns < asked.limit then
    table.insert(turns, as_answer(asked.id, turn))
  end
end
return {'ok', turns}
