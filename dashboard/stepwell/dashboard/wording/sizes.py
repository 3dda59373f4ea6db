"""Numbers of bytes as people read them."""

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def size(count: int) -> str:
    """Bytes as "312 B", "4.2 KiB", "1.5 MiB" or "2.0 GiB"."""
    if count < KIB:
        return f"{count} B"
    if count < MIB:
        return f"{count / KIB:.1f} KiB"
    if count < GIB:
        return f"{count / MIB:.1f} MiB"
    return f"{count / GIB:.1f} GiB"
