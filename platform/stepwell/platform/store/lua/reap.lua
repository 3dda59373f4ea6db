--! Ends a session whose worker is known to be dead or gone. Answers how many of its runs are left to take back.
--! args: now session crash_limit:int rest
--! item: rid
--! include: clock meta batch feed run lanes steps timers ending owner noting ready reaping commit
--! allow-oom
-- Items: runs whose body was executing; they count a crash. Without items the others are taken back:
-- rest is "executing" when nothing is known of them, and "idle" when they are known not to have been executing.
now = clock(now)
if unknown_format() then return unknown_format() end

local left
if item_count() > 0 then
  bury(session)
  for rid in items() do take_back(rid, session, true, crash_limit) end
  commit()
  left = redis.call('SCARD', k_held .. session)
else
  left = reap_session(session, rest == 'executing', crash_limit, 64)
  commit()
end
return left
