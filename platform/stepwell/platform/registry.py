"""Apps and their functions: stored in partition 0, held in memory by every process that takes in events.

The registry has a version. Every partition knows the one in force, and ingest refuses to match with another, so no
event misses a function whose registration was acknowledged.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context

from stepwell.functions.protocol import Manifest
from stepwell.platform.codec import decode, encode
from stepwell.platform.cron.planning import Plan
from stepwell.platform.cron.schedule import check_schedules
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.flow.moves import Homes
from stepwell.platform.snapshot import Snapshot, cancels_of, functions_of
from stepwell.platform.store.keys import REGISTRY
from stepwell.platform.subscriptions import check_conditions
from stepwell.platform.waits.words import Paths

_VERSION = b"#version"
_AWAIT = b"#await "
_MOVED = b"#moved "
TRIES = 32
"""Of registering, while others do so too."""
PAUSE = 0.02
"""Seconds by which the pause between them grows at most."""
ANY = -1
"""Instead of the version that is known: nothing depends on it."""
MOST_ENTRIES = 10_000
"""Apps, and names with paths that are waited for."""


class Registry:
    """Reads and changes the registry; `snapshot` is this process's copy."""

    __slots__ = ("_changed", "_partitions", "_refreshing", "snapshot")

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions
        self._refreshing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.snapshot = Snapshot(0, {})

    async def load(self) -> Snapshot:
        """Reads the registry anew."""
        home = self._partitions[0]
        apps: Sequence[bytes] = await home.read("HGETALL", home.keys.name("k_apps"))
        stored = dict(zip(apps[::2], apps[1::2], strict=True))
        version = int(stored.pop(_VERSION, b"0"))
        if version != self.snapshot.version:
            self.snapshot = _snapshot(version, stored)
            self._changed.set()
            self._changed = asyncio.Event()
        return self.snapshot

    async def changed(self, known: Snapshot) -> Snapshot:
        """Waits until this process's copy is another than `known`, and gives it."""
        while self.snapshot is known:
            await self._changed.wait()
        return self.snapshot

    async def catch_up(self) -> Snapshot:
        """Reads the registry anew if it has changed."""
        home = self._partitions[0]
        version = await home.read("HGET", home.keys.name("k_apps"), _VERSION)
        return self.snapshot if int(version or 0) == self.snapshot.version else await self.load()

    async def register(self, manifest: Manifest) -> bool:
        """Replaces an app's functions; returns, after every partition knows, whether that changed anything.

        Raises `InvalidManifest` when a condition of a trigger is none, or a schedule never comes.
        """
        check_manifest(manifest)
        await self._keep(cancels_of(functions_of(manifest)))
        changed = await self._store(manifest)
        await self.spread()
        return changed

    async def _store(self, manifest: Manifest) -> bool:
        text = manifest.model_dump_json(exclude_defaults=True)
        for tried in range(TRIES):
            # Those who lost the race together do not meet again.
            await asyncio.sleep(random.uniform(0, PAUSE * tried))  # noqa: S311  # no secret
            known = await self.catch_up()
            version, moves = (known.version, self._moves(known, manifest)) if len(self._partitions) > 1 else (ANY, [])
            answer = await self._partitions[0].script("register", manifest.id, text, version, items=moves)
            if answer != b"CHANGED":
                return bool(answer[1])
        raise StoreUnavailable(self._partitions[0].store.where, "the registry of functions keeps changing")

    def _moves(self, known: Snapshot, manifest: Manifest) -> list[tuple[bytes, bytes]]:
        moves = known.moves_by(manifest)
        changed = {function: moves.get(function, ()) for function in (*known.moves, *moves)}
        return [_move(function, homes) for function, homes in changed.items() if homes != known.moves.get(function)]

    async def settle(self, known: Snapshot, function: str, move: Homes) -> None:
        """Forgets the oldest home of a move, unless something was registered since the registry was as `known`."""
        registered, left = known.functions.get(function), move[1:]
        lasts = registered is not None and bool(set(left) - {registered.home})
        await self._partitions[0].script("settle_move", known.version, *_move(function, left if lasts else ()))
        await self.spread()

    async def await_events(self, name: str, paths: Paths, *, indexed: bool) -> bool:
        """Has events of `name` looked up by `paths` from now on; `indexed`: those that came before are, too.

        Answers False when there is no room for more.
        """
        what = _AWAIT + encode([name, paths])
        answer = await self._partitions[0].script("await", int(indexed), MOST_ENTRIES, items=[(what,)])
        if answer == b"FULL":
            return False
        if not indexed:
            # Although it is known here: whoever said so first may have died before every partition knew.
            await self.spread()
        return True

    async def _keep(self, pairs: Iterable[tuple[str, Paths]]) -> None:
        """Has these events looked up even when no function asks for them any more: runs that began before may."""
        items = [(_AWAIT + encode(pair),) for pair in sorted(set(pairs), key=encode)]
        for first in range(0, len(items), 64):
            await self._partitions[0].script("await", 0, MOST_ENTRIES, items=items[first : first + 64])

    async def refresh(self) -> None:
        """Spreads the registry, once for all who ask meanwhile."""
        if self._refreshing is None or self._refreshing.done():
            # A context of its own: it serves others than the task that asks first.
            self._refreshing = asyncio.create_task(self.spread(), context=Context())
        await asyncio.shield(self._refreshing)

    async def spread(self) -> None:
        """Loads the registry and tells every partition, among them those a registration cut short never reached."""
        snapshot = await self.load()
        count = len(self._partitions)
        # First where runs are held back, before others send any there.
        for partition in sorted(self._partitions, key=lambda one: not snapshot.held_at(one.index, count)):
            limits = snapshot.limits_at(partition.index, count)
            await partition.script("adopt", snapshot.version, snapshot.tells, items=[*limits.items()])
        plans = [Plan(partition, snapshot.version) for partition in self._partitions]
        # Before any is dropped: what is known of one whose function lives elsewhere now goes with it.
        for plan in plans:
            await plan.take_up(snapshot.schedules_at(plan.partition.index, count), self._partitions)
        for plan in plans:
            await plan.drop_others(snapshot.schedules_at(plan.partition.index, count))
        await self._partitions[0].read("PUBLISH", REGISTRY, snapshot.version)


def check_manifest(manifest: Manifest) -> None:
    """Raises `InvalidManifest` for the first expression that is none, or schedule that never comes."""
    check_conditions(manifest)
    check_schedules(manifest)


def _snapshot(version: int, stored: Mapping[bytes, bytes]) -> Snapshot:
    waits = {field: ready for field, ready in stored.items() if field.startswith(_AWAIT)}
    moved = {field: homes for field, homes in stored.items() if field.startswith(_MOVED)}
    moves = {field.removeprefix(_MOVED).decode(): tuple(decode(homes)) for field, homes in moved.items()}
    manifests = {app.decode(): text for app, text in stored.items() if not app.startswith(b"#")}
    apps = {app: Manifest.model_validate_json(text) for app, text in manifests.items()}
    indexed = frozenset(_wait(field) for field, ready in waits.items() if ready == b"1")
    return Snapshot(version, apps, tuple(map(_wait, waits)), indexed, moves)


def _wait(field: bytes) -> tuple[str, Paths]:
    name, paths = decode(field.removeprefix(_AWAIT))
    return name, tuple(map(tuple, paths))


def _move(function: str, homes: Homes) -> tuple[bytes, bytes]:
    return _MOVED + function.encode(), encode(homes) if homes else b""
