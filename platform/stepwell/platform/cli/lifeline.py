"""How a part of `stepwell dev` ends with it, even when that is killed."""

import os
import sys
import threading


def end_with_parent() -> None:
    """Ends this process when whoever holds the other end of its standard input is gone.

    A thread listens, so that it works whatever the event loop is doing. Nothing is lost: what was acknowledged is in
    Redis, and the runs of a worker that vanishes are taken back.
    """

    def listen() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os._exit(1)

    threading.Thread(target=listen, name="stepwell-lifeline", daemon=True).start()
