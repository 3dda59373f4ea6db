"""The loader of Lua scripts: headers, inputs, includes."""

from pathlib import Path

import pytest

from stepwell.platform.errors import ScriptFault
from stepwell.platform.store.connection import Limits
from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.routes import Routes
from stepwell.platform.store.scripts import Flavour, Scripts
from stepwell.platform.store.store import Store
from stepwell.platform.store.topology import Topology, topology_of


def write(folder: Path, **scripts: str) -> Path:
    (folder / "include").mkdir()
    for name, text in scripts.items():
        part, _, rest = name.partition("__")
        path = folder / part / f"{rest}.lua" if rest else folder / f"{name}.lua"
        path.write_text(text)
    return folder


def fault(folder: Path, **scripts: str) -> str:
    with pytest.raises(ScriptFault) as caught:
        Scripts.load("server", write(folder, **scripts))
    return str(caught.value)


SUM = """\
--! Adds up the amounts of each name. Answers {greeting, number of items, name, sum...}.
--! args: greeting times:int
--! item: name amount:int
--! include: twice
local answer = {greeting, item_count()}
for name, amount in items() do
  redis.call('HINCRBY', k_meta, name, amount)
  answer[#answer + 1] = name
  answer[#answer + 1] = twice(amount) * times
end
return answer
"""
TWICE = "--! include: once\nlocal function twice(n) return once(n) + once(n) end"
ONCE = "local function once(n) return n end"


@pytest.fixture(params=["memory", "redis", "valkey"])
def topology(request: pytest.FixtureRequest) -> Topology:
    if request.param == "memory":
        return Remembered()
    return topology_of(request.getfixturevalue(f"{request.param}_server").url)


async def test_inputs_are_bound_by_name_on_every_server(topology: Topology, tmp_path: Path) -> None:
    scripts = Scripts.load(topology.flavour, write(tmp_path, total=SUM, include__twice=TWICE, include__once=ONCE))
    routes = Routes(topology, Limits())
    store = Store(routes, scripts, 1)
    await store.reach()
    try:
        answer = await store.script(0, "total", ["hello", 10], [("a", 1), (b"b", 2)])
        assert answer == [b"hello", 2, b"a", 20, b"b", 40]
        assert await store.call(0, "HGETALL", "{sw0}:meta") == [b"a", b"1", b"b", b"2"]
        assert await store.script(0, "total", ["hello", 10]) == [b"hello", 0]
        with pytest.raises(ScriptFault, match=r"^total: "):
            await store.script(0, "total", ["hello", 10], [("a", "one")])
    finally:
        await routes.aclose()
        await topology.aclose()


def test_the_first_line_is_for_real_servers_only(tmp_path: Path) -> None:
    folder = write(tmp_path, plain="--! Nothing.\nreturn 1", last="--! Ends a run.\n--! allow-oom\nreturn 1")
    first = {
        (name, flavour): script.text.decode().splitlines()[0]
        for flavour in (Flavour.__args__)  # type: ignore[attr-defined]
        for name, script in Scripts.load(flavour, folder).items()
    }
    assert first == {
        ("plain", "server"): "#!lua",
        ("last", "server"): "#!lua flags=allow-oom",
        ("plain", "memory"): "local P = KEYS[1]",
        ("last", "memory"): "local P = KEYS[1]",
    }


def test_every_script_we_ship_loads() -> None:
    for script in Scripts.load("server").values():
        assert script.summary.endswith(".")


def test_a_wrong_number_of_values_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    folder = write(tmp_path, add="--! Adds.\n--! args: now limit:int\n--! item: a b\nreturn 1", none="--! Nothing.\n")
    scripts = Scripts.load("server", folder)
    with pytest.raises(ScriptFault, match=r"add: takes 2 values \(now limit\), and was given 1"):
        scripts["add"].arguments([""], [])
    with pytest.raises(ScriptFault, match=r"takes items of 2 values \(a b\), and was given one of 3"):
        scripts["add"].arguments(["", 1], [("a", "b"), ("a", "b", "c")])
    with pytest.raises(ScriptFault, match="none: takes no values"):
        scripts["none"].arguments(["x"], [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("return 1", "its first line has to be"),
        ("--! Adds.\n--! argz: now\nreturn 1", "`--! argz: now` is no header"),
        ("--! Adds.\n--! args: now\n--! args: now\nreturn 1", "has two `args` headers"),
        ("--! Adds.\n--! args:\nreturn 1", "without names"),
        ("--! Adds.\n--! args: now:float\nreturn 1", "`now:float` is no input"),
        ("--! Adds.\n--! args: Now\nreturn 1", "`Now` is no input"),
        ("--! Adds.\n--! item: a b a\nreturn 1", "names an input twice"),
        ("--! Adds.\n--! args: end\nreturn 1", "`end` has a meaning of its own"),
        ("--! Adds.\n--! args: k_run\nreturn 1", "`k_run` has a meaning of its own"),
        ("--! Adds.\n--! allow-oom: yes\nreturn 1", "is no header"),
        ("--! Adds.\nlocal x\n--! args: now\nreturn 1", "below its first line of Lua"),
        ("--! Adds.\n--! include: gone\nreturn 1", "add includes `gone`, which is not in lua/include"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, text: str, says: str) -> None:
    message = fault(tmp_path, add=text)
    assert message.startswith("add: ")
    assert says in message


def test_what_is_included_has_no_inputs_of_its_own(tmp_path: Path) -> None:
    says = fault(tmp_path, add="--! Adds.\n", include__clock="--! args: now\nlocal x = 1")
    assert says == "clock: is included, so it cannot have the header `args`"


def test_a_circle_of_includes_is_shown(tmp_path: Path) -> None:
    says = fault(
        tmp_path, add="--! Adds.\n--! include: a\n", include__a="--! include: b\n", include__b="--! include: a\n"
    )
    assert "add -> a -> b -> a" in says


def test_an_include_is_pasted_once_and_after_what_it_needs(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        add="--! Adds.\n--! include: b c\nreturn 'body'",
        include__a="local a",
        include__b="--! include: a\nlocal b",
        include__c="--! include: a b\nlocal c",
    )
    text = Scripts.load("memory", folder)["add"].text.decode()
    assert text.splitlines()[1:] == ["local a", "local b", "local c", "return 'body'"]


def test_only_names_of_keys_that_are_used_are_bound(tmp_path: Path) -> None:
    text = Scripts.load("memory", write(tmp_path, add="--! Adds.\nreturn k_run .. 'x'"))["add"].text.decode()
    assert text.splitlines() == ["local P = KEYS[1]", "local k_run = P .. ':r:'", "return k_run .. 'x'"]
