--! Notes which steps a session has been executing for a while. Answers OK, or DEAD.
--! args: now session
--! item: run step attempt took:int
--! include: clock meta
--! allow-oom
-- Items: all of them, or the oldest 64; what is not among them any more is forgotten. took: ms so far.
now = clock(now)
if unknown_format() then return unknown_format() end
-- Whoever has leased anything is known here, and what is noted goes with it.
if redis.call('ZSCORE', k_dead, session) or not redis.call('ZSCORE', k_sessions, session) then return 'DEAD' end
redis.call('DEL', k_executing .. session)
for run, step, attempt, took in items() do
  redis.call('HSET', k_executing .. session, run .. '|' .. step, attempt .. ' ' .. now - took)
end
return 'OK'
