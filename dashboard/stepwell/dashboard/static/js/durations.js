/** Lengths of time as people read them; `wording/durations.py` says the same on the server. */

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

/**
 * A time that goes on, in whole seconds: "12 s", "3 m 12 s", "2 h 5 m"; rounded down.
 * @param {number} ms
 */
export function elapsed(ms) {
  const length = Math.max(0, ms);
  if (length < MINUTE) return `${Math.floor(length / SECOND)} s`;
  if (length < HOUR) return `${Math.floor(length / MINUTE)} m ${Math.floor((length % MINUTE) / SECOND)} s`;
  if (length < DAY) return `${Math.floor(length / HOUR)} h ${Math.floor((length % HOUR) / MINUTE)} m`;
  return `${Math.floor(length / DAY)} d ${Math.floor((length % DAY) / HOUR)} h`;
}

/**
 * How long something is past, in one unit: "now", "12 s ago", "3 m ago".
 * @param {number} ms
 */
export function ago(ms) {
  if (ms < SECOND) return "now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m ago`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ago`;
  return `${Math.floor(ms / DAY)} d ago`;
}

/**
 * How long something is ahead: "in 3 h 2 m"; "now" when it is due.
 * @param {number} ms
 */
export function until(ms) {
  return ms > 0 ? `in ${elapsed(ms + SECOND - 1)}` : "now";
}
