"""What the code of runs says, on its way to where it is kept. Said by many runs at once, it travels in few calls."""

from stepwell.platform.engine.answers import accepted
from stepwell.platform.engine.partition import Partition


class Logs:
    """Writes of one partition; each raises `Stale` when the token is not the run's any more.

    Args:
        partition: whose runs they are.
        most_lines: kept of a run, the newest.
        most_bytes: of those lines.
    """

    __slots__ = ("_log",)

    def __init__(self, partition: Partition, most_lines: int, most_bytes: int) -> None:
        self._log = partition.group("log", most_lines, most_bytes)

    async def keep(
        self, run: str, token: str, seq: int, lines: bytes, *, lost: int = 0, step: str = "", progress: bytes = b""
    ) -> None:
        """Keeps lines, once for each `seq`, and the newest progress.

        Args:
            run: that has said them.
            token: of its lease.
            seq: counts up under the token.
            lines: JSON, with line feeds between.
            lost: lines before them that are not among them.
            step: key of the step that has come this far; empty for the run.
            progress: JSON; empty when it says nothing of that.
        """
        accepted(await self._log.add((run, token, seq, lost, step, progress, lines)))
