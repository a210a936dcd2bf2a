-- Bury the longest unused session on which no turn runs: of the account, or of whoever has most.
local is_kept = {}
for _, id in ipairs(asked.keep) do is_kept[id] = true end

local function evict_of(account)
  local num_seen = 0
  while true do
    local ids = redis.call('ZRANGE', 'lstm:a:' .. account, num_seen, num_seen + 49)
    for _, id in ipairs(ids) do
      if not is_kept[id] and not is_leased(id) then
        bury(id, asked.reason)
        return true
      end
    end
    if #ids < 50 then return false end
    num_seen = num_seen + 50
  end
end

local function evict()
  if asked.what == 'account' then return evict_of(asked.account) end
  local index, num_seen = 'lstm:accounts:' .. asked.what, 0
  while true do
    local richest = redis.call('ZREVRANGE', index, num_seen, num_seen + 49)
    for _, account in ipairs(richest) do
      if evict_of(account) then return true end
    end
    if #richest < 50 then return false end
    num_seen = num_seen + 50
  end
end

return {evict() and 'ok' or 'none', holdings(asked.account)}
