"""Numbers of bytes as people read them."""

KIB, MIB = 1 << 10, 1 << 20


def size(count: int) -> str:
    """Bytes as "312 B", "4.2 KiB" or "1.5 MiB"."""
    if count < KIB:
        return f"{count} B"
    if count < MIB:
        return f"{count / KIB:.1f} KiB"
    return f"{count / MIB:.1f} MiB"
