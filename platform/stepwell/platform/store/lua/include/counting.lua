--- Counts what happens, by minute, of each function and in all: as much as has happened, for it is counted where it does
-- and written with it. A key is of one hour, and has for each minute eight numbers of 32 bits.
local count, write_counts
-- A block, for a script can have 200 locals and some have nearly as many.
do
  local PLACES = {events = 0, created = 1, started = 2, completed = 3, failed = 4, cancelled = 5, retried = 6, failed_steps = 7}
  -- In all 8 days, of a function 25 hours; in ms.
  local ALL_KEPT, KEPT = 691200000, 90000000
  local counted = {}

  -- By lane, so that what may happen to every run of a call costs no more than an addition.
  function count(what, lane)
    local of = counted[what]
    if not of then
      of = {}
      counted[what] = of
    end
    of[lane] = (of[lane] or 0) + 1
  end

  local function add(key, place, number, kept)
    -- The first of its kind in a minute: the key may be new.
    if redis.call('BITFIELD', key, 'INCRBY', 'u32', '#' .. place, number)[1] == number then
      redis.call('PEXPIRE', key, kept)
    end
  end

  function write_counts()
    if not next(counted) then return end
    local minute = math.floor(now / 60000)
    local hour = k_counts .. math.floor(minute / 60) .. ':'
    for what, of in pairs(counted) do
      local place, all, functions = minute % 60 * 8 + PLACES[what], 0, {}
      for lane, number in pairs(of) do
        local fn = string.match(lane, '^[^|]*')
        functions[fn] = (functions[fn] or 0) + number
        all = all + number
      end
      for fn, number in pairs(functions) do
        if fn ~= '' then add(hour .. fn, place, number, KEPT) end
      end
      add(hour, place, all, ALL_KEPT)
    end
    counted = {}
  end
end
