--! Keeps a session alive. Answers DEAD, or {OK, runs held, news...}.
--! args: now session expiry:int
--! item: heard
--! include: clock meta
--! allow-oom
-- heard: news of earlier beats that need not be told again. News: "run|step" was resolved, "run|" is asked to cancel.
now = clock(now)
if unknown_format() then return unknown_format() end
if redis.call('ZSCORE', k_dead, session) then return {'DEAD'} end
redis.call('ZADD', k_sessions, now + expiry, session)
for heard in items() do redis.call('SREM', k_news .. session, heard) end
local answer = {'OK', redis.call('SCARD', k_held .. session)}
for _, news in ipairs(redis.call('SRANDMEMBER', k_news .. session, 64)) do answer[#answer + 1] = news end
return answer
