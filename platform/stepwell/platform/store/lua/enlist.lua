--! Lists an open wait for an event under a word, when none that came before is left to look at. Answers OK, GONE or those.
--! args: now
--! item: word member here:int after last:int
--! include: clock meta
--! allow-oom
-- member: as in listing.lua. here: 1 when the run is at home in this partition; then
-- GONE tells that it does not wait any more. after: the position behind which events count. last: 1 when this wait
-- needs no more to be done elsewhere. Events to look at first: {id, position, ...}, oldest first, 64 at
-- most; nothing is written then.
now = clock(now)
if unknown_format() then return unknown_format() end

local function enlist(word, member, here, after, last)
  local who = string.sub(member, 3)
  if here == 1 and redis.call('HEXISTS', k_arming, who) == 0 then return 'GONE' end
  local before = redis.call('ZRANGEBYSCORE', k_heard .. word, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, 64)
  if #before > 0 then return before end
  redis.call('ZADD', k_waits .. word, after, member)
  if here == 1 and last == 1 then redis.call('HDEL', k_arming, who) end
  return 'OK'
end

local answers = {}
for word, member, here, after, last in items() do answers[#answers + 1] = enlist(word, member, here, after, last) end
return answers
