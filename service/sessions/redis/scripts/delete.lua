local session, problem = find(asked.id, asked.asker)
if not session then return problem end
bury(asked.id, asked.reason)
return {'ok'}
