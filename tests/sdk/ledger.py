"""The file into which every body says that it was executed."""

import os
from pathlib import Path

LEDGER = Path(os.environ["LEDGER"])


def tell(key: object, what: str) -> str:
    """Adds the line `key what`; `what`."""
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{key} {what}\n".encode())
    finally:
        os.close(file)
    return what


def told(key: object, what: str) -> int:
    """How many such lines there are."""
    return LEDGER.read_text().splitlines().count(f"{key} {what}") if LEDGER.exists() else 0


async def note(key: object, what: str) -> str:
    """`tell`, for steps of async functions."""
    return tell(key, what)
