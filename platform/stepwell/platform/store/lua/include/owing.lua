--! include: batch feed
--- What has to be done elsewhere, so that events cancel a run: `notes` for each listing, with the character 31 between.
local function owe_listings(rid, notes)
  local index = 0
  for note in string.gmatch(notes, '[^\31]+') do
    redis.call('HSET', k_run .. rid, 'c:' .. index, note)
    redis.call('HSET', k_arming, rid .. '!' .. index, '0\n' .. note)
    index = index + 1
  end
  errand()
end
