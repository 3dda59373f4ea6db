"""What can go wrong on the server side.

StepwellError
├── StoreUnavailable     Redis cannot be reached, or did not answer in time; nothing is known about the call
├── StoreFull            Redis has reached its memory limit and refused the write
├── StoreMisconfigured   Redis, its address or the data directory is not as it must be; says what to change
├── InvalidManifest      an app that cannot be registered; says which of its functions is wrong, and how
└── ScriptFault          a script or command was refused: a fault of Stepwell itself
"""


class StepwellError(Exception):
    """Base of everything the platform raises."""


class StoreUnavailable(StepwellError):
    """Redis cannot be reached, or did not answer before the caller's deadline.

    A call that was sent may have been carried out: repeat it as it is, every script answers a repeated call the same.

    Args:
        where: address of the server, without its password.
        reason: what the network or the server said.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"Redis at {self.where} is unavailable: {self.reason}"


class StoreFull(StepwellError):
    """Redis refused a write, because it would go over its memory limit.

    Args:
        where: address of the server, without its password.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where

    def __str__(self) -> str:
        return f"Redis at {self.where} has reached its maxmemory: raise it, or shorten the retention of finished runs"


class StoreMisconfigured(StepwellError):
    """Redis, its address or the data directory is not as it must be.

    Args:
        problem: what is wrong, with the value.
        hint: what to do about it.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}. {self.hint}"


class InvalidManifest(StepwellError):
    """An app that cannot be registered.

    Args:
        function: as app/function.
        what: which part of it.
        problem: what is wrong with it.
    """

    def __init__(self, function: str, what: str, problem: str) -> None:
        super().__init__(function, what, problem)
        self.function = function
        self.what = what
        self.problem = problem

    def __str__(self) -> str:
        return f"function {self.function}: {self.what}: {self.problem}"


class ScriptFault(StepwellError):
    """A script, or a plain command, was refused: a fault of Stepwell, worth a report.

    Args:
        name: the script or command.
        reason: what was wrong with it, or what Redis said.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"
