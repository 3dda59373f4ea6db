"""The stories of functions, told again of functions that our own SDK serves over HTTP."""

from collections.abc import AsyncGenerator, Generator, Mapping
from types import ModuleType

import pytest

from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests import (
    platform_harness,
    test_stories,
    test_stories_controls,
    test_stories_flow,
    test_stories_invoke,
    test_stories_waits,
)
from tests.platform_harness import Harness
from tests.served_harness import ServedHarness

STORIES = test_stories, test_stories_waits, test_stories_invoke, test_stories_controls, test_stories_flow
OTHERWISE: Mapping[str, str] = {
    "test_a_run_whose_worker_died_goes_on_from_its_last_step": "no code of users runs in the worker of a served app",
    "test_draining_finishes_the_step_and_releases_the_rest": "a call that is under way goes on to its end",
}
"""Stories of workers, and why they are no stories of served functions."""


@pytest.fixture(autouse=True)
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Platforms are such."""
    kinds: list[type[Harness]] = [ServedHarness]
    monkeypatch.setattr(platform_harness, "KIND", kinds)


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    """In memory: what is different here is how functions are executed, not where they are recorded."""
    async with memory_store() as opened:
        yield opened


def _told(module: ModuleType) -> Generator[tuple[str, object]]:
    whose = module.__name__.rpartition("test_")[2]
    for name, story in vars(module).items():
        if name.startswith("test_") and name not in OTHERWISE:
            yield f"test_{whose}_{name.removeprefix('test_')}", story


asleep = test_stories_waits.asleep

for _module in STORIES:
    globals().update(_told(_module))


def test_what_is_left_out_is_there() -> None:
    assert not set(OTHERWISE) - {name for module in STORIES for name in vars(module)}
