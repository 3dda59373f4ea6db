"""What the engine is specified to do, in plain Python: the oracle of the stateful test."""

from dataclasses import dataclass, field
from typing import Literal

from tests.engine_bench import CRASH_LIMIT, EXPIRY, PATIENCE

DEPLOYS: list[dict[str, list[int]]] = [
    {"app/free": [], "app/single": [1], "app/keyed": [2, 1]},
    {"app/free": [], "app/single": [2], "app/keyed": [3, 1]},
    {"app/free": [1], "app/single": [], "app/keyed": [1]},
]
"""Function -> its limits, before and after deploys; the first of app/keyed counts all alike, its second is by key.

So a lane may be called up for a slot of the first and then find the second full: the slot has to go to another lane.
"""
FUNCTIONS = tuple(DEPLOYS[0])

SUSPECT = 2
GAP = 2_000


@dataclass
class Step:
    state: Literal["pending", "retrying", "done", "failed"]
    turn: int = 0
    due: int = 0
    attempts: int = 0
    payload: bytes = b""


@dataclass
class Run:
    id: str
    lane: str
    status: str = "queued"
    token: str = ""
    turn: int = 0
    crashes: int = 0
    attempt: int = 0
    notbefore: int = 0
    cancel: int = 0
    body: bytes = b""
    steps: dict[str, Step] = field(default_factory=dict[str, Step])
    slots: list[str] = field(default_factory=list[str])

    @property
    def function(self) -> str:
        return self.lane.split("|")[0]

    @property
    def session(self) -> str:
        return self.token.split(":")[0] if self.status == "running" else ""

    @property
    def ended(self) -> bool:
        return self.status in {"completed", "failed", "cancelled"}

    @property
    def pending(self) -> int:
        return sum(step.due > 0 for step in self.steps.values())

    @property
    def timers(self) -> dict[str, int]:
        """Members and times of its timers."""
        if self.ended:
            return {}
        found = {f"{self.id}|{key}": step.due for key, step in self.steps.items() if step.due}
        if self.notbefore:
            found[f"{self.id}|"] = abs(self.notbefore)
        if self.cancel:
            found[f"{self.id}!"] = self.cancel + PATIENCE
        return found


class Oracle:
    """All of a partition. Every method is given `now` in ms and does what the verb of that name is specified to do."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.sessions: dict[str, int] = {}
        self.dead: set[str] = set()
        self.news: dict[str, set[str]] = {}
        self.ticked = 0
        self.grace = 0
        self.limits = DEPLOYS[0]

    def create(self, now: int, run: str, lane: str, due: int) -> None:
        if run not in self.runs:
            self.runs[run] = Run(run, lane, notbefore=due if due > now else 0)

    def lane(self, function: str, key: str) -> str:
        """The lane of a new run."""
        return "|".join([function, *["", key][: len(self.limits[function])]])

    def scopes(self, run: Run) -> list[tuple[str, int]]:
        """What a run needs slots of, and how many there are."""
        values = [*run.lane.split("|")[1:], "", ""]
        limits = enumerate(self.limits[run.function])
        return [(f"{run.function}#{index}|{values[index]}", limit) for index, limit in limits]

    def holders(self, scope: str) -> set[str]:
        return {run.id for run in self.runs.values() if run.status == "running" and scope in run.slots}

    def ready(self, functions: set[str]) -> list[Run]:
        """Runs that a session serving `functions` ("!" for suspects) may be given, slots aside."""
        return [
            run
            for run in self.runs.values()
            if run.status == "queued"
            and not run.notbefore
            and run.function + ("!" if run.crashes >= SUSPECT else "") in functions
        ]

    def startable(self, functions: set[str]) -> list[Run]:
        """Ready runs with a free slot in each of their scopes."""
        return [
            run
            for run in self.ready(functions)
            if all(len(self.holders(scope)) < limit for scope, limit in self.scopes(run))
        ]

    def leased(self, run: str, call: str) -> None:
        self.runs[run].status = "running"
        self.runs[run].token = call
        self.runs[run].slots = [scope for scope, _ in self.scopes(self.runs[run])]

    def owns(self, run: str, token: str) -> bool:
        found = self.runs.get(run)
        return found is not None and found.status == "running" and found.token == token

    def checkpoint(self, run: Run, key: str, ok: bool, attempts: int, payload: bytes) -> int | str:
        step = run.steps.get(key)
        if step and step.state in {"done", "failed"}:
            return step.turn
        if step and step.state == "pending":
            return "CONFLICT"
        run.turn += 1
        run.crashes = 0
        run.steps[key] = Step("done" if ok else "failed", run.turn, 0, attempts, payload)
        return run.turn

    def arm(self, now: int, run: Run, key: str, due: int) -> Step:
        if key not in run.steps:
            run.crashes = 0
            run.steps[key] = Step("pending", 0, due)
            if due <= now:
                run.turn += 1
                run.steps[key] = Step("done", run.turn)
        return run.steps[key]

    def retry_step(self, now: int, run: Run, key: str, attempts: int, delay: int, error: bytes) -> Step:
        step = run.steps.get(key)
        if step and (step.state != "retrying" or step.attempts >= attempts):
            return step
        run.crashes = 0
        run.steps[key] = Step("retrying", 0, now + max(delay, 1), attempts, error)
        return run.steps[key]

    def _let_go(self, run: Run, status: str, body: bytes = b"") -> None:
        run.crashes = 0
        ended = status in {"completed", "failed", "cancelled"}
        run.status = "cancelled" if run.cancel and not ended else status
        run.body = body if run.status == status else b""

    def retry_body(self, now: int, run: Run, delay: int, error: bytes) -> None:
        self._let_go(run, "waiting", error)
        if run.status == "waiting":
            run.attempt += 1
            run.notbefore = now + delay

    def suspend(self, now: int, run: Run, seen: int, within: int) -> None:
        self._let_go(run, "queued" if run.turn > seen or not (run.pending or within) else "waiting")
        if run.status == "waiting" and within:
            run.notbefore = -(now + within)

    def release(self, run: Run) -> None:
        self._let_go(run, "queued")

    def finish(self, run: Run, status: str, body: bytes) -> None:
        self._let_go(run, status, body)

    def cancel(self, now: int, run_id: str) -> str:
        run = self.runs.get(run_id)
        if run is None:
            return "GONE"
        if run.ended:
            return "ENDED"
        if run.status == "running":
            run.cancel = run.cancel or now
            self._tell(run, "")
            return "ASKED"
        run.status, run.body = "cancelled", b""
        return "CANCELLED"

    def _tell(self, run: Run, key: str) -> None:
        self.news.setdefault(run.session, set()).add(f"{run.id}|{key}")

    def resolve(self, now: int, run: Run, keys: list[tuple[str, str, bytes]]) -> None:
        """Gives steps their outcome in one call: they share a turn."""
        run.turn += 1
        for key, state, payload in keys:
            step = run.steps[key]
            step.due, step.turn = 0, run.turn
            if step.state == "pending":
                step.state, step.payload = ("done" if state == "done" else "failed"), payload
            if run.status == "running":
                self._tell(run, key)
        if run.status == "waiting" and run.notbefore <= now:
            run.status, run.notbefore = "queued", 0

    def tick(self, now: int) -> None:
        if now - self.ticked > GAP or now < self.ticked:
            self.grace = now + EXPIRY
        self.ticked = now
        for run in list(self.runs.values()):
            self._fire(now, run)
        if now >= self.grace:
            for session in [name for name, expiry in self.sessions.items() if expiry < now]:
                self.reap(now, session, executing=None)

    def _fire(self, now: int, run: Run) -> None:
        due = {member for member, at in run.timers.items() if at <= now}
        # The order among timers of one run that are due together: by time, then by name, as a sorted set has them.
        for member in sorted(due, key=lambda name: (run.timers.get(name, 0), name)):
            if member == f"{run.id}!" and run.status == "running":
                self.news.setdefault(run.session, set()).add(f"{run.id}|")
                run.status, run.body = "cancelled", b""
                return
        keys = [member.split("|", 1)[1] for member in due if "|" in member and not member.endswith("|")]
        body = f"{run.id}|" in due
        if keys:
            if body:
                run.notbefore = 0
            self.resolve(now, run, [(key, "done", run.steps[key].payload) for key in keys])
        if body:
            run.notbefore = 0
            if run.status == "waiting":
                run.status = "queued"

    def reap(self, now: int, session: str, executing: set[str] | None) -> None:
        """`executing`: the runs that count a crash; None means all that are held."""
        self.dead.add(session)
        self.sessions.pop(session, None)
        for run in self.runs.values():
            if run.session != session:
                continue
            if executing is None or run.id in executing:
                run.crashes += 1
            run.status = "queued"
            if run.crashes > CRASH_LIMIT:
                run.status = "failed"
            elif run.cancel:
                run.status, run.body = "cancelled", b""
        self.news.pop(session, None)
