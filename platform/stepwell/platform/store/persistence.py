"""What happens to a call that did not go well: mended and tried again, or turned into an error with a meaning."""

import asyncio
from dataclasses import dataclass

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)

from stepwell.platform.errors import ScriptFault, StepwellError, StoreFull, StoreMisconfigured, StoreUnavailable
from stepwell.platform.store.connection import BACKOFF, Connection, Reply, Unanswered
from stepwell.platform.store.routes import Routes, ask
from stepwell.platform.store.scripts import Script

# The server says so before it carries anything out, and for a while only.
PASSING = (ReadOnlyError, ClusterDownError, TryAgainError, BusyLoadingError, MovedError)
PASSING_WORDS = ("BUSY ", "MISCONF ", "NOREPLICAS ")


@dataclass(slots=True)
class Call:
    """A call that has failed at least once.

    Args:
        routes: the way to its partition.
        partition: where it goes.
        packed: the command as bytes of the protocol.
        what: the script, or the name of a plain command.
        repeatable: whether it may be sent again when it may have been carried out.
        expires: loop time at which the caller's patience ends.
        line: the connection that was used last.
        failures: how often it was held up.
    """

    routes: Routes
    partition: int
    packed: bytes
    what: Script | str
    repeatable: bool
    expires: float
    line: Connection
    failures: int = 0

    async def after(self, error: RedisError | Unanswered) -> Reply:
        """Mends what can be mended and tries again, until the call is answered.

        Raises `StoreUnavailable` when patience ends, and what `meaning` says for an error that no repeat mends.
        """
        while True:
            try:
                return await self._again(error)
            except (RedisError, Unanswered) as another:
                error = another

    async def _again(self, error: RedisError | Unanswered) -> Reply:
        match error:
            case NoScriptError() if isinstance(self.what, Script) and not self._late():
                await self.routes.teach(self.line, self.what)
            case AskError() if not isinstance(error, MovedError) and not self._late():
                self.line = self.routes.to(f"{error.host}:{error.port}")
                return await ask(self.line, self.packed, self.expires)
            case _ if self._passes(error):
                await self._settle(error)
            case _:
                raise meaning(error, self.line.where, self.what)
        self.line = self.routes.lines[self.partition]
        return await self.line.submit(self.packed, self.expires)

    async def _settle(self, error: RedisError | Unanswered) -> None:
        """Gives the servers a moment, then finds out who holds the partition now."""
        if isinstance(error, ReadOnlyError):
            self.line.drop("it has become a replica")
        self.failures += 1
        try:
            async with asyncio.timeout_at(self.expires):
                await asyncio.sleep(BACKOFF.compute(self.failures))
                await self.routes.refresh()
        except TimeoutError:
            raise StoreUnavailable(self.line.where, str(error)) from None

    def _passes(self, error: RedisError | Unanswered) -> bool:
        if self.routes.closed:
            return False
        if isinstance(error, Unanswered):
            return self.repeatable or not error.sent
        return isinstance(error, PASSING) or str(error).startswith(PASSING_WORDS)

    def _late(self) -> bool:
        return asyncio.get_running_loop().time() > self.expires


def meaning(error: RedisError | Unanswered, where: str, what: Script | str) -> StepwellError:
    """The error a caller gets for one that no repeat mends."""
    name = what if isinstance(what, str) else what.name
    match error:
        case Unanswered() | BusyLoadingError() | AskError() | NoScriptError():
            return StoreUnavailable(where, str(error))
        case OutOfMemoryError():
            return StoreFull(where)
        case NoPermissionError() | AuthenticationError():
            return StoreMisconfigured(
                f"Redis at {where} refused {name}: {error}", "Check user, password and the user's ACL"
            )
        case _:
            return ScriptFault(name, str(error))
