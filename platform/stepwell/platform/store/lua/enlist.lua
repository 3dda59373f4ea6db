--! Lists an open wait for an event under a word, when none that came before is left to look at. Answers OK, GONE or those.
--! args: now
--! item: word member here:int after ttl:int last:int
--! include: clock meta batch position
--! allow-oom
-- member: as in listing.lua. here: 1 when the run is at home in this partition; then
-- GONE tells that it does not wait any more. after: the position behind which events count, or "now".
-- ttl: ms after which the wait is over whatever happens, for runs at home elsewhere; 0 for never. last: 1 when this wait
-- needs no more to be done elsewhere. Events to look at first: {id, position, ...}, oldest first, 64 at most; nothing is written then.
now = clock(now)
if unknown_format() then return unknown_format() end

--- What is left when the run itself does not take it away.
local function outlive(key, known, ttl)
  if ttl == 0 then
    redis.call('PERSIST', key)
  elseif not known or redis.call('PTTL', key) >= 0 and redis.call('PTTL', key) < ttl then
    redis.call('PEXPIRE', key, ttl)
  end
end

local function enlist(word, member, here, after, ttl, last)
  local who = string.sub(member, 3)
  if here == 1 and redis.call('HEXISTS', k_arming, who) == 0 then return 'GONE' end
  if after == 'now' then
    after = string.format('%.0f', position_now())
  else
    local before = redis.call('ZRANGEBYSCORE', k_heard .. word, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, 64)
    if #before > 0 then return before end
  end
  local known = redis.call('EXISTS', k_waits .. word) == 1
  redis.call('ZADD', k_waits .. word, after, member)
  if here == 0 then outlive(k_waits .. word, known, ttl) end
  if here == 1 and last == 1 then redis.call('HDEL', k_arming, who) end
  return 'OK'
end

local answers = {}
for word, member, here, after, ttl, last in items() do
  answers[#answers + 1] = enlist(word, member, here, after, ttl, last)
end
return answers
