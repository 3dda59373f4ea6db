"""Numbers of things as people read them."""


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A number and what it counts: "1 run", "1,200 runs"; `nouns` for what takes another ending than "s"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {nouns or f'{noun}s'}"


def share(part: int, whole: int) -> str:
    """A part in percent: "12 %", "0.4 %"; rounded, but never to nothing or to all when it is neither."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if part and percent < 0.1:
        return "< 0.1 %"
    if percent < 10:
        return f"{percent:.1f} %".replace(".0 %", " %")
    return f"{min(percent, 99.9):.1f} %" if part < whole and percent > 99 else f"{percent:.0f} %"
