"""The patterns of matches(): what they find, what is refused, and that no pattern is slow."""

from __future__ import annotations

import pytest

from stepwell.platform.expressions import EvaluationError, ExpressionError, OutOfBudget, compile_expression
from stepwell.platform.expressions.automaton import MAX_REMEMBERED


def found(pattern: str, text: str) -> bool:
    quoted = pattern.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    value = compile_expression(f"event.matches('{quoted}')", {"event"}).evaluate({"event": text})
    assert isinstance(value, bool)
    return value


@pytest.mark.parametrize(
    ("pattern", "finds", "not_in"),
    [
        ("", ["", "a"], []),
        ("b", ["b", "abc"], ["", "B"]),
        ("^b", ["b", "bc"], ["ab", "a\nb"]),
        ("b$", ["b", "ab"], ["bc", "b\n"]),
        ("^$", [""], ["a", "\n"]),
        ("$^", [""], ["a"]),
        (r"\Aab\z", ["ab"], ["abc", "xab"]),
        ("a.c", ["abc", "a😀c"], ["a\nc", "ac"]),
        ("(?s)a.c", ["a\nc"], ["ac"]),
        ("(?i)äb", ["ÄB", "äB"], ["ab"]),
        ("(?i:a)b", ["Ab", "ab"], ["AB"]),
        ("a(?i)b|c", ["aB", "C"], ["Ab"]),
        ("(?i)a(?-i)b", ["Ab"], ["AB"]),
        ("(?i)[^a-c]", ["d", "D"], ["A", "b"]),
        ("a|bc|", [""], []),
        ("^(?:a|bc)$", ["a", "bc"], ["b", "abc"]),
        ("^(?P<year>[0-9]{4})-(?<month>[0-9]{2})$", ["2026-01"], ["226-01", "2026-1"]),
        ("^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]),
        ("^a{2,}$", ["aa", "aaaaa"], ["a"]),
        ("^a{0}$", [""], ["a"]),
        ("^(a*)*$", ["", "aaa"], ["b"]),
        ("^a+?b??$", ["a", "ab"], ["b"]),
        (r"^\d+\w\s\D\W\S$", ["12a x.y"], ["12a xxy"]),
        (r"^\d$", ["7"], ["٧"]),
        (r"^[\w.-]+@[^@\s]+$", ["a.b-c@d.e"], ["a@b@c", "a @b"]),
        (r"[]a]", ["]", "a"], ["b"]),
        (r"^[^\D5]$", ["4"], ["5", "x"]),
        (r"[a\-z]", ["-", "z"], ["b"]),
        (r"\.\*\(\{\}", [".*({}"], ["a"]),
        (r"^\x41\x{1F600}\t$", ["A😀\t"], ["A"]),
        ("a}b]", ["a}b]"], ["ab"]),
    ],
)
def test_what_a_pattern_finds(pattern: str, finds: list[str], not_in: list[str]) -> None:
    assert [text for text in finds if not found(pattern, text)] == []
    assert [text for text in not_in if found(pattern, text)] == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(a", 'a group has no ")"'),
        ("a)", "closes no group; write \\) for the character"),
        ("[a", "it breaks off"),
        ("a\\", "it breaks off"),
        ("*a", '"*" repeats nothing; write \\* for the character'),
        ("a**", "a repetition cannot be repeated"),
        ("a{3}{3}", "a repetition cannot be repeated"),
        ("{", '"{" repeats nothing'),
        ("a{3,2}", "{3,2} must go upwards, to at most 1,000"),
        ("a{1001}", "to at most 1,000"),
        ("(a{100}){100}", "the pattern is too large"),
        ("[z-a]", "a range in [ ] goes upwards"),
        ("[[:alpha:]]", "write a-zA-Z"),
        (r"(a)\1", r"\1 is not supported"),
        (r"\bword", r"\b is not supported"),
        (r"\pL", r"\p is not supported"),
        (r"\xZZ", "two hexadecimal digits"),
        (r"\x{110000}", "two hexadecimal digits"),
        ("(?=a)", "there is no looking around"),
        ("(?m)a", "a flag i or s"),
        ("(" * 40 + ")" * 40, "groups in more than 32 levels"),
    ],
)
def test_what_is_no_pattern_is_refused_at_once(pattern: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(f"event.matches(r'{pattern}')", {"event"})
    assert said in caught.value.message
    assert caught.value.column == 15


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*$",
        "(a|b|ab)*c",
        "^(a?){20}a{20}$",
        "(.*)(.*)(.*)(.*)(.*)x",
        "(((a*)*)*)*b",
        "(a|b)*a(a|b){12}$",
    ],
)
@pytest.mark.timeout(5)
def test_no_pattern_takes_longer_than_the_text_is_long(pattern: str) -> None:
    assert found(pattern, "a" * 50_000 + "b") in (True, False)


@pytest.mark.parametrize("part", ["(((((){1000}){1000}){1000}){1000}){1000}", "((((a{0}){1000}){1000}){1000}){1000}"])
@pytest.mark.timeout(5)
def test_nothing_can_be_repeated_without_end(part: str) -> None:
    assert found(part, "a")


def test_what_a_pattern_remembers_is_bounded() -> None:
    expression = compile_expression("event.all(text, !text.matches('x$'))", {"event"})
    letters = [chr(code) for code in range(0x4E00, 0x4E00 + MAX_REMEMBERED * 2)]
    assert expression.matches({"event": letters[:MAX_REMEMBERED]})
    assert expression.matches({"event": letters[MAX_REMEMBERED:]})
    assert not expression.matches({"event": ["x"]})


def test_only_a_string_is_searched() -> None:
    with pytest.raises(EvaluationError, match="needs a string, not 5"):
        compile_expression("event.matches('5')", {"event"}).evaluate({"event": 5})


def test_new_characters_cost_steps() -> None:
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 20_000))
    with pytest.raises(OutOfBudget):
        found("(" + "|".join("abcdefghij" * 4) + ")$", text)
