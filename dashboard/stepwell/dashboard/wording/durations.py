"""Lengths of time as people read them. `static/js/durations.js` says the same in the browser."""

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def duration(ms: int) -> str:
    """A measured time: "312 ms", "4.2 s", "3 m 12 s", "2 h 5 m", "3 d 4 h"; rounded down."""
    ms = max(0, ms)
    if ms < SECOND:
        return f"{ms} ms"
    if ms < MINUTE:
        return f"{ms // 100 / 10:.1f} s"
    return elapsed(ms)


def elapsed(ms: int) -> str:
    """A time that goes on, in whole seconds: "12 s", "3 m 12 s", "2 h 5 m"; rounded down."""
    ms = max(0, ms)
    if ms < MINUTE:
        return f"{ms // SECOND} s"
    if ms < HOUR:
        return f"{ms // MINUTE} m {ms % MINUTE // SECOND} s"
    if ms < DAY:
        return f"{ms // HOUR} h {ms % HOUR // MINUTE} m"
    return f"{ms // DAY} d {ms % DAY // HOUR} h"


def ago(ms: int) -> str:
    """How long something is past, in one unit: "now", "12 s ago", "3 m ago"."""
    if ms < SECOND:
        return "now"
    if ms < MINUTE:
        return f"{ms // SECOND} s ago"
    if ms < HOUR:
        return f"{ms // MINUTE} m ago"
    if ms < DAY:
        return f"{ms // HOUR} h ago"
    return f"{ms // DAY} d ago"


def until(ms: int) -> str:
    """How long something is ahead: "in 3 h 2 m"; "now" when it is due."""
    # Rounded up: what is due in 0.4 s is not due yet.
    return f"in {elapsed(ms + SECOND - 1)}" if ms > 0 else "now"


def after(ms: int) -> str:
    """How long after a run was created something was: "+12.345 s"."""
    return f"+{max(0, ms) / 1000:,.3f} s"


def mark(ms: int) -> str:
    """A mark on an axis: as `duration`, without parts that are zero."""
    return duration(ms).replace(".0 s", " s").replace(" m 0 s", " m").replace(" h 0 m", " h").replace(" d 0 h", " d")


def span(ms: int) -> str:
    """A length that somebody has set, to the millisecond: "1 h", "1 m 30 s", "2 d 250 ms"."""
    units = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "ms"))
    parts, rest = list[str](), ms
    for size, unit in units:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"
