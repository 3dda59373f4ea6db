"""Who is where, and since when, written down outside the platform: a line as a body begins, and one as it ends."""

import os
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns


@dataclass(frozen=True, slots=True)
class Stay:
    """One execution of a body.

    Args:
        run: its id.
        key: of which only so many may execute.
        pid: of the process.
        begun, ended: ns, by a clock that all processes of the machine share.
        whole: whether it came to its end, and was not killed.
    """

    run: str
    key: str
    pid: int
    begun: int
    ended: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Watch:
    """A file of lines, each of which is one write that no other can come between."""

    path: Path

    @contextmanager
    def stay(self, run: str, key: str) -> Generator[None]:
        """Writes down when the block begins and when it ends, however that comes about."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            mark = f"{os.getpid()} {run} {key}"
            begun = monotonic_ns()
            os.write(file, f"+ {begun} {begun} {mark}\n".encode())
            try:
                yield
            finally:
                os.write(file, f"- {begun} {monotonic_ns()} {mark}\n".encode())
        finally:
            os.close(file)

    def stays(self, deaths: Mapping[int, int]) -> list[Stay]:
        """What was written down, in no order.

        Args:
            deaths: process id -> ns before which it lived. What it had not ended then, it ended then.
        """
        begun, ended = dict[tuple[str, ...], int](), list[Stay]()
        for line in self.path.read_text().splitlines():
            sign, since, now, pid, run, key = line.split(" ")
            if sign == "+":
                begun[since, pid, run, key] = int(now)
            else:
                ended.append(Stay(run, key, int(pid), begun.pop((since, pid, run, key)), int(now)))
        for (_, pid, run, key), since_ns in begun.items():
            ended.append(Stay(run, key, int(pid), since_ns, max(since_ns, deaths[int(pid)]), whole=False))
        return ended


def most_at_once(stays: Iterable[Stay]) -> int:
    """How many there were at the fullest moment; who leaves makes room for who comes in the same ns."""
    moments = sorted(moment for stay in stays for moment in ((stay.begun, 1), (stay.ended, -1)))
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def most_by_key(stays: Sequence[Stay]) -> Mapping[str, int]:
    """The same for each key."""
    keys = {stay.key: list[Stay]() for stay in stays}
    for stay in stays:
        keys[stay.key].append(stay)
    return {key: most_at_once(some) for key, some in keys.items()}


def completed(stays: Iterable[Stay]) -> Counter[str]:
    """How many bodies of each run came to their end."""
    return Counter(stay.run for stay in stays if stay.whole)
