--- Ends the lease, and leaves what a repeat of this write is to be told.
local function let_go(run, seq, answer)
  later('SREM', k_held .. session_of(run.token), run.id)
  free_slots(run)
  set(run, 'seq', seq)
  set(run, 'answer', answer)
  set(run, 'crashes', 0)
  return answer
end
