"""What expressions mean: each operator, function and loop, and what is made of fields that are not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from stepwell.platform.expressions import compile_expression

NAMES = frozenset({"async", "event", "events", "ts"})
EVENT = orjson.loads("""{
    "name": "order.placed",
    "ts": 1795000000000,
    "data": {
        "total": 150, "share": 0.25, "currency": "EUR", "email": "Ada@Example.com", "vip": true, "note": null,
        "tags": ["new", "big"], "odd key": 1,
        "items": [{"sku": "A-1", "count": 2}, {"sku": "B-2", "count": 1}]
    }
}""")
VALUES = {"event": EVENT, "async": {"data": {"id": "7"}}, "events": [EVENT], "ts": 1_795_000_000_000}


def value(text: str, values: dict[str, Any] = VALUES) -> Any:
    return compile_expression(text, NAMES).evaluate(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", None),
        ("true", True),
        ("42", 42),
        ("42u", 42),
        ("0xFF", 255),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615u", 2**64 - 1),
        ("1.5e2", 150.0),
        (".5", 0.5),
        ("-0.5", -0.5),
        (r"'it\'s'", "it's"),
        (r'"tab\there \u20ac \x41\101"', "tab\there € AA"),
        (r"r'\d+'", r"\d+"),
        ('R"it\'s"', "it's"),
        ("[1, 'a', [null]]", [1, "a", [None]]),
        ("{'a': {'b': 1}}", {"a": {"b": 1}}),
        ("1 // one", 1),
        ("1 +\n  2", 3),
    ],
)
def test_literals(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.data.total", 150),
        ('event["data"]["odd key"]', 1),
        ("event.data.tags[1]", "big"),
        ("event.data.tags[2 - 1]", "big"),
        ("event.data.items[0].sku", "A-1"),
        ("events[0].name", "order.placed"),
        ("async.data.id", "7"),
        ("ts / 1000", 1_795_000_000),
        ("{'in': 1}.in", 1),
        ("[1, 2][1.0]", 2),
    ],
)
def test_fields_and_elements(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "path",
    [
        "event.data.missing",
        "event.data.missing.deeper[0].still",
        "event.data.total.of",
        "event.data.note.of",
        "event.data.tags[2]",
        "event.data.tags[-1]",
        "event.data.tags['0']",
        "event.data.tags.first",
        "event.data.tags[true]",
        "event.data[0]",
        "event.data[event.data.missing]",
        "event['data']['tags'][event.data.total]",
        "'text'[0]",
    ],
)
def test_what_is_not_there_is_null(path: str) -> None:
    assert value(path) is None
    assert value(f"{path} == null") is True
    assert value(f"{path} != null") is False
    for sign in ("==", "<", "<=", ">", ">="):
        assert value(f"{path} {sign} 1") is False
        assert value(f"'a' {sign} {path}") is False
    assert value(f"{path} != 1") is True
    assert value(f"!{path}") is True
    assert value(f"{path} || true") is True
    assert value(f"{path} ? 1 : 2") == 2
    assert value(f"1 in {path}") is False


def test_a_variable_that_is_not_given_is_null() -> None:
    assert value("event.data == null && async == null", {}) is True


def test_has_tells_null_from_missing() -> None:
    assert value("has(event.data.note)") is True
    assert value("has(event.data.missing)") is False
    assert value("has(event.missing.note)") is False
    assert value("has(event.data.items[0].sku)") is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 == 1.0", True),
        ("1 == '1'", False),
        ("1 == true", False),
        ("false == 0", False),
        ("true == true", True),
        ("null == null", True),
        ("null == false", False),
        ("'a' == 'a'", True),
        ("9007199254740993 == 9007199254740992.0", False),
        ("[1, [2.0]] == [1.0, [2]]", True),
        ("[true] == [1]", False),
        ("[1] == [1, 2]", False),
        ("{'a': 1, 'b': [null]} == {'b': [null], 'a': 1.0}", True),
        ("{'a': 1} == {'b': 1}", False),
        ("[] == {}", False),
        ("[1] == 1", False),
        ("1 == [1]", False),
        ("1e308 * 10.0 - 1e308 * 10.0 == 1e308 * 10.0 - 1e308 * 10.0", False),
        ("1 != 1.0", False),
        ("[1] != ['1']", True),
        ("1 < 1.5", True),
        ("'B' < 'a'", True),
        ("'a' >= 'a'", True),
        ("false < true", True),
        ("1 < '2'", False),
        ("1 >= '2'", False),
        ("true < 2", False),
        ("[1] < [2]", False),
        ("null <= null", False),
        ("1 < 2 == true", True),
        ("'big' in event.data.tags", True),
        ("2.0 in [1, 2]", True),
        ("true in [1]", False),
        ("'vip' in event.data", True),
        ("'no' in event.data", False),
        ("1 in event.data", False),
    ],
)
def test_comparisons(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 % -2", 1),
        ("-7 % 2", -1),
        ("7 / 2.0", 3.5),
        ("event.data.total * 1.5", 225.0),
        ("1.0 + 1", 2.0),
        ("- -1", 1),
        ("1 - -1", 2),
        ("-event.data.total", -150),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("true ? 1 : 1 / 0", 1),
        ("false ? 1 : true ? 2 : 3", 2),
    ],
)
def test_arithmetic_and_choice(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true && true", True),
        ("true && null", False),
        ("null || false", False),
        ("false && 1 / 0 > 0", False),
        ("1 / 0 > 0 && false", False),
        ("1 / 0 > 0 || true", True),
        ("false || true && false", False),
        ("!true || !false", True),
        ("!!event.data.vip", True),
        ("[0, 1].exists(x, 1 / x > 0)", True),
        ("[0, 1].all(x, 1 / x > 5)", False),
    ],
)
def test_what_decides_does_so_whatever_fails_beside_it(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size('aé😀')", 3),
        ("event.data.tags.size()", 2),
        ("size({'a': 1})", 1),
        ("event.name.startsWith('order.')", True),
        ("event.name.endsWith('placed')", True),
        ("event.name.contains('r.p')", True),
        ("event.data.email.lowerAscii()", "ada@example.com"),
        ("'ÄB'.lowerAscii()", "Äb"),
        ("event.data.email.matches(r'^\\w+@')", True),
        ("matches('abc', 'b')", True),
        ("string(1.0)", "1"),
        ("string(0.1)", "0.1"),
        ("string(true) + string(7)", "true7"),
        ("int('-12')", -12),
        ("int(2.9)", 2),
        ("double('1.5')", 1.5),
        ("double(2)", 2.0),
        ("timestamp('2026-01-31T08:00:00+02:00')", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("timestamp(event.ts / 1000) > timestamp('2026-11-01T00:00:00Z')", True),
        ("timestamp('2026-01-31T08:00:00.1234567Z')", datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)),
        ("duration('1h30m')", timedelta(minutes=90)),
        ("duration('1w2d')", timedelta(days=9)),
        ("duration('-1.5s')", timedelta(seconds=-1.5)),
        ("timestamp(duration('1h') + timestamp(0))", datetime(1970, 1, 1, 1, tzinfo=UTC)),
        ("string(timestamp(0) + duration('1500ms'))", "1970-01-01T00:00:01.500Z"),
        ("string(duration('-90.000001s'))", "-90.000001s"),
        ("int(timestamp('1970-01-01T00:01:00Z'))", 60),
    ],
)
def test_functions(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.data.items.exists(i, i.sku == 'B-2')", True),
        ("event.data.items.exists(i, i.missing)", False),
        ("event.data.items.all(i, i.count > 0)", True),
        ("[].all(x, false)", True),
        ("event.data.items.exists_one(i, i.count == 1)", True),
        ("event.data.items.filter(i, i.count > 1).map(i, i.sku)", ["A-1"]),
        ("[1, 2, 3].map(x, x > 1, x * 10)", [20, 30]),
        ("event.data.items.map(i, event.data.total * i.count)", [300, 150]),
        ("{'a': 1, 'b': 2}.map(k, k)", ["a", "b"]),
        ("[1, 2].map(event, event + 1)", [2, 3]),
        ("[1, 2].map(x, [10, 20].map(y, x + y))", [[11, 21], [12, 22]]),
        ("[[1], [2]].map(x, x.map(x, [x, 5].map(y, x + y)))", [[[2, 6]], [[4, 7]]]),
        ("[1].map(x, [2].map(y, x + y)[0] + [3].map(z, x + z)[0])", [7]),
    ],
)
def test_loops(text: str, expected: object) -> None:
    assert value(text) == expected


def test_only_true_matches() -> None:
    for text, expected in {"1 == 1": True, "1": False, "'true'": False, "null": False, "1 / 0 == 0": False}.items():
        assert compile_expression(text, NAMES).matches(VALUES) is expected


def test_an_expression_is_its_text() -> None:
    one, other = compile_expression("event.a == async.b", NAMES), compile_expression("event.a == async.b", NAMES)
    assert one == other
    assert hash(one) == hash(other)
    assert one != compile_expression("event.a==async.b", NAMES)
    assert one.text == "event.a == async.b"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1", set[str]()),
        ("event.a == async.b[ts]", {"event", "async", "ts"}),
        ("events.exists(event, event.a)", {"events"}),
        ("event.a.exists(event, event.b)", {"event"}),
        ("has(event.a) && {'k': async}.k", {"event", "async"}),
    ],
)
def test_it_tells_which_variables_it_needs(text: str, names: set[str]) -> None:
    assert compile_expression(text, NAMES).names_used == names
