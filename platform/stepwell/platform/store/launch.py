"""Becomes the Redis server, having made sure that it ends when the process that started it does.

Run as a script, by a bare interpreter: `launch.py signal|pipe PARENT LIFELINE LOCK PROGRAM WORD…`. It imports
nothing of ours. A `preexec_fn` would do the same, but forking with threads about is unsafe.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Has the kernel send SIGTERM when the parent, or the thread of it that started this, ends.

    Linux, prctl(2); the setting outlives exec.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the process that started this has ended already")


def watch(lifeline: int, lock: int) -> None:
    """Leaves a process behind that sends SIGTERM to this one when the other end of the pipe is closed unwritten."""
    server = os.getpid()
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    if os.fork():
        # The watcher becomes an orphan, so that the server never has a child it does not know of.
        os._exit(0)
    os.close(lock)
    if not os.read(lifeline, 1):
        os.kill(server, signal.SIGTERM)
    os._exit(0)


if __name__ == "__main__":
    how, parent, lifeline, lock, program, *words = sys.argv[1:]
    if how == "signal":
        end_with(int(parent))
    else:
        watch(int(lifeline), int(lock))
    os.execv(program, [program, *words])  # noqa: S606  # the point of this file
