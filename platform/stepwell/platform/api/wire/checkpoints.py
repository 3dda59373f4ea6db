"""`POST /v1/checkpoint/{run}/async`: an app has steps recorded while it goes on with a call."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.routing import Route

from stepwell.functions.errors import LimitExceeded
from stepwell.functions.values import check_size
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire.counter import Counter, json_of, understood
from stepwell.platform.codec import encode
from stepwell.platform.engine.answers import Conflict, OverLimit, Refusal
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import is_id, partition_of
from stepwell.platform.installation import Installation
from stepwell.platform.records import StepRow
from stepwell.platform.wire.calls import read_right
from stepwell.platform.wire.operations import BadReply, Operation, operations_of

REPEATABLE = 0
"""The sequence number of a write that may be repeated: recording a step twice is recording it once."""
STALE = "this call is not the run's any more: another one goes on with it"


class Checkpoint(BaseModel):
    """The body of a request.

    Args:
        qi_id: as it came with the call: the token of the run's lease, and the attempt.
        steps: that were executed.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    qi_id: Annotated[str, Field(pattern=r"^[!-~]{1,256}/[0-9]{1,4}$")]
    steps: list[Any]

    @property
    def right(self) -> tuple[str, int]:
        """The token, and the attempt."""
        return read_right(self.qi_id)


class CheckpointsApi:
    """Records steps under the token that came with the call.

    Args:
        counter: lets callers in.
        installation: whose runs they are.
    """

    def __init__(self, counter: Counter, installation: Installation) -> None:
        settings = installation.settings
        self._counter = counter
        self._partitions = installation.partitions
        self._owners = [Owner(one, settings.max_steps, settings.max_run_bytes) for one in installation.partitions]
        self._max_output = settings.max_output_bytes

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("POST", "/v1/checkpoint/{id}/async", self.record, Scope.OPERATE)

    async def record(self, request: Request) -> Any:
        """POST …/async: answers 409 when the call that records has lost its run."""
        run, partition = request.path_params["id"], self._partition(request.path_params["id"])
        given = understood(Checkpoint, await json_of(request))
        operations = _executed(given.steps)
        token, attempt = given.right
        # Otherwise none of them has failed before, and there is nothing to look up.
        known = await self._tried(self._partitions[partition], run, operations) if attempt else {}
        try:
            await asyncio.gather(
                *[self._record(self._owners[partition], run, token, one, known.get(one.key, 0)) for one in operations]
            )
        except (OverLimit, LimitExceeded, Conflict) as over:
            # The app brings it with its answer instead, and then it is said of the run.
            raise Problem(500, "over_limit", str(over)) from None
        except Refusal:
            raise Problem(409, "stale", STALE) from None
        return {"ok": True}

    def _partition(self, run: str) -> int:
        if not is_id(run) or partition_of(run) >= len(self._partitions):
            raise Problem(404, "not_found", f"there is no run {run[:80]!r}")
        return partition_of(run)

    async def _record(self, owner: Owner, run: str, token: str, operation: Operation, tried: int) -> None:
        payload = encode(operation.data)
        check_size(payload, f"step {operation.key!r}", self._max_output)
        await owner.checkpoint(
            run,
            token,
            REPEATABLE,
            operation.key,
            "run",
            ok=True,
            attempts=tried + 1,
            took=operation.took,
            payload=payload,
        )

    async def _tried(self, partition: Partition, run: str, operations: list[Operation]) -> dict[str, int]:
        """How often each step has failed before."""
        keys = [operation.key for operation in operations]
        if not keys:
            return {}
        rows: list[bytes | None] = await partition.read("HMGET", partition.keys.name("k_steps", run), *keys)
        return {key: StepRow.parse(b"", row).attempts for key, row in zip(keys, rows, strict=True) if row}


def _executed(steps: list[Any]) -> list[Operation]:
    """Steps that were executed. Raises a `Problem` for others."""
    try:
        operations = operations_of(steps)
    except BadReply as bad:
        raise Problem(400, "invalid_body", str(bad)) from None
    strange = next((one.code for one in operations if one.code != "StepRun" or one.error is not None), None)
    if strange is not None:
        raise Problem(400, "invalid_body", f"only steps that were executed are recorded here, and not {strange[:60]!r}")
    return operations
