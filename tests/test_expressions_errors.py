"""What is said about an expression that cannot be understood, and about one that meets values it was not made for."""

from __future__ import annotations

import pytest

from stepwell.platform.errors import StepwellError
from stepwell.platform.expressions import EvaluationError, ExpressionError, compile_expression

NAMES = frozenset({"async", "event"})


def mistake(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, NAMES)
    return caught.value


def test_it_shows_the_place_and_what_to_do() -> None:
    error = mistake("evnt.data.total > 100")
    assert isinstance(error, StepwellError)
    assert error.column == 1
    assert str(error) == (
        'column 1: there is no variable "evnt"; there are async, event\n'
        "  evnt.data.total > 100\n"
        "  ^"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "the end is unexpected; a value should be here"),
        ("event.a ==", 11, "the end is unexpected; a value"),
        ("event.a = 1", 9, 'write "=="'),
        ("event.a === 1", 11, 'write "=="'),
        ("event.a & true", 9, 'write "&&"'),
        ("event.a and true", 9, '"and" is unexpected; write "&&"'),
        ("not event.a", 1, 'write "!"'),
        ("event.a == None", 12, "write null"),
        ("event.a == True", 12, "write true"),
        ("event.a == foo", 12, 'no variable "foo"; there are async, event'),
        ("[1].all(x, y)", 12, "there are async, event, x"),
        ("[1].all(x, true) && x", 21, 'no variable "x"'),
        ("event.a 1", 9, "an operator or the end should be here"),
        ("(event.a", 9, '")" should be here'),
        ("[1, 2", 6, '"]" should be here'),
        ("event.a ? 1", 12, '":" should be here'),
        ("event.", 7, 'a field\'s name should be after ".", not the end'),
        ("event.1", 6, "an operator or the end"),
        ("event.'a'", 7, 'go into ["…"]'),
        ("'abc", 1, "this string has no end"),
        ("'a\nb'", 1, "this string has no end"),
        (r"'a\d'", 3, r"\d is no escape; write \\ for a backslash, or r'…'"),
        (r"'\ud800'", 2, r"\ud800 is no character"),
        ("event.a == “x”", 12, "use plain quotes"),
        ("event.a # 1", 9, "'#' means nothing here"),
        ("9223372036854775808", 1, "does not fit into 64 bits"),
        ("1e999", 1, "1e999 is too large for a double"),
        ("1 + -9223372036854775809", 6, "does not fit into 64 bits"),
        ("event.a.startswith('x')", 9, "do you mean startsWith?"),
        ("len(event.a)", 1, 'there is no function "len"; there are all, contains,'),
        ("startsWith(event.a, 'x')", 1, "write text.startsWith(prefix)"),
        ("event.a.startsWith()", 9, "write text.startsWith(prefix)"),
        ("event.a.string()", 9, "write string(value)"),
        ("has(event)", 1, "has() takes one field"),
        ("has(event['a'])", 1, 'write "key" in map'),
        ("event.a.all(x)", 9, "list.all(x, test of x)"),
        ("event.a.map(x, 1, 2, 3)", 9, "list.map(x, value of x)"),
        ("event.a.all(1, true)", 13, "begins with a variable"),
        ("exists(event.a, x, x)", 17, 'no variable "x"'),
        ("event.a.matches(event.b)", 17, "must be written out"),
        ("event.a.matches('a(b')", 17, """in the pattern, after 'a(b': a group has no ")\""""),
    ],
)
def test_what_is_wrong_is_said_with_its_column(text: str, column: int, said: str) -> None:
    error = mistake(text)
    assert said in error.message
    assert error.column == column


def test_of_several_lines_it_shows_the_right_one() -> None:
    assert str(mistake("event.a > 1 &&\n\tevent.b = 2 &&\nevent.c")).splitlines()[1:] == [
        "   event.b = 2 &&",
        "           ^",
    ]


def test_of_a_long_line_it_shows_the_surroundings() -> None:
    _, line, caret = str(mistake("event.a && " * 100 + "foo" + " && event.b" * 100)).splitlines()
    assert len(line) <= 102
    assert line[caret.index("^") :].startswith("foo &&")


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("1 + 1 / event.zero", 7, "division by zero"),
        ("event.one / 0.0", 11, "division by zero"),
        ("event.one % event.zero", 11, "division by zero"),
        ("9223372036854775807 + event.one", 21, "does not fit into 64 bits"),
        ("-(event.least)", 1, "does not fit into 64 bits"),
        ("event.least / -1", 13, "does not fit into 64 bits"),
        ("event.text + 1", 12, "a string and an int have no '+' between them: \"ten\" + 1; convert one with string("),
        ("event.missing * 2", 15, "null and an int have no '*'"),
        ("event.missing * 2", 15, "test with has(…) or != null"),
        ("1.5 % 2", 5, "a double and an int"),
        ("true + true", 6, "a bool and a bool"),
        ("-event.text", 1, '"-" needs a number, not "ten"'),
        ("true && event.one", 9, "a condition must be true or false, not 1"),
        ("!event.text", 1, 'must be true or false, not "ten"'),
        ("event.list ? 1 : 2", 1, "not a list"),
        ("event.list.all(x, x)", 19, "must be true or false, not 1"),
        ("'t' in event.text", 5, "write text.contains(part)"),
        ("event.missing.all(x, x)", 15, "all() needs a list or a map, not null; test with has(…)"),
        ("size(event.one)", 1, "size() needs a string, a list or a map, not 1"),
        ("event.missing.startsWith('a')", 15, "startsWith() needs a string, not null; test with has(…)"),
        ("event.missing.matches('a')", 15, "matches() needs a string, not null"),
        ("string(event.list)", 1, "string() needs a number, a bool"),
        (
            "int(event.text)",
            1,
            'int() needs a number or a string of digits, of at most 64 bits, or a timestamp, not "t',
        ),
        ("int('9223372036854775808')", 1, "at most 64 bits"),
        ("int(1e300)", 1, "at most 64 bits"),
        ("double('nan')", 1, 'double() needs a number, or a string such as "1.5", not "nan"'),
        ("timestamp('2026-01-31')", 1, 'a string such as "2026-01-31T08:00:00Z"'),
        ("timestamp('2026-02-31T08:00:00Z')", 1, 'a string such as "2026-01-31T08:00:00Z"'),
        ("timestamp(1795000000000)", 1, "is it in ms? write timestamp(event.ts / 1000)"),
        ("timestamp(0) - duration('999999d')", 14, "outside the years 1 to 9999"),
        ("duration('90')", 1, '"300ms", "5m" or "1h30m"'),
        ("duration('99999999999999w')", 1, "is too long"),
        ("{event.text: 1, 'ten': 2}", 1, 'the key "ten" is in this map twice'),
        ("{event.one: 1}", 1, "the keys of a map are strings, not 1; write string(…)"),
        ("event.long + 1", 12, "a" * 40 + "…"),
    ],
)
def test_why_it_cannot_be_evaluated_is_said_with_its_column(text: str, column: int, said: str) -> None:
    values = {
        "event": {"zero": 0, "one": 1, "least": -(2**63), "text": "ten", "list": [1], "long": "a" * 1_000},
    }
    expression = compile_expression(text, NAMES)
    with pytest.raises(EvaluationError) as caught:
        expression.evaluate(values)
    assert said in caught.value.message
    assert str(caught.value).startswith(f"column {column}: ")
    assert not expression.matches(values)
