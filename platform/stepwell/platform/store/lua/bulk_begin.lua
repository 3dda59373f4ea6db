--! Makes a bulk job. Answers its id, that of the one made at the same request before; or FULL.
--! args: now id asked life:int most:int what rate:int by
--! include: clock meta
-- asked: stands for the request, or is empty; known for `life` ms. most: jobs that may go on at once.
now = clock(now)
if unknown_format() then return unknown_format() end
local known = asked ~= '' and redis.call('GET', k_ordered .. asked)
if known and redis.call('EXISTS', k_bulk .. known) == 1 then return known end
-- A repeated call, whose answer was lost; the job may have ended since.
if redis.call('EXISTS', k_bulk .. id) == 1 then return id end
if redis.call('ZCOUNT', k_bulks, '+inf', '+inf') >= most then return 'FULL' end
redis.call('HSET', k_bulk .. id, 'what', what, 'rate', rate, 'by', by, 'state', 'running', 'created', now)
redis.call('ZADD', k_bulks, '+inf', id)
if asked ~= '' then redis.call('SET', k_ordered .. asked, id, 'PX', life) end
return id
