--! include: batch feed options
--- Open waits for events. A listing is two letters and a word: "S", or "E" when an expression has to be evaluated
-- besides; "-", or which wait of its step; and the word, which stands for the name of an event and values in it; and,
-- when the list of the word is in another partition, "@" and its number. Under the word the wait is found when such an
-- event comes, as the letters and "run|step", or "run!number" for one that cancels the run.
local function unlist(listings, who)
  for sign, word, home in string.gmatch(listings, '([^;][^;])([^;@]+)@?(%d*)') do
    if home == '' then
      later('ZREM', k_waits .. word, sign .. who)
    else
      later('ZADD', k_strays, now, home .. ' ' .. word .. ' ' .. sign .. who)
      errand()
    end
  end
  later('HDEL', k_arming, who)
end

--- The waits of a run that has ended.
local function unlist_all(run)
  local given_up = option(run.options, 'cancel')
  if given_up then
    local index = 0
    for listing in string.gmatch(given_up, '[^;]+') do
      unlist(listing, run.id .. '!' .. index)
      index = index + 1
    end
  end
  if run.pending == 0 then return end
  for _, field in ipairs(redis.call('HKEYS', k_run .. run.id)) do
    local key = string.match(field, '^l:(.*)$')
    if key then
      unlist(redis.call('HGET', k_run .. run.id, field), run.id .. '|' .. key)
      redis.call('HDEL', k_run .. run.id, field)
    end
  end
end
