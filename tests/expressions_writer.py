"""Writes expressions, and the events they are about, for tests that compare what expressions mean."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

INTS = st.sampled_from([0, 1, 2, 3, -1, 7, 100, 2**31, 2**62, 2**63 - 1, -(2**63)])
DOUBLES = st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.5])
"""So small that no product becomes a string with an exponent, which CEL begins with earlier."""
TEXTS = st.sampled_from(["", "a", "b", "ab", "Ab", "aé", "日本", "12", "-7", "1.5", "😀"])
KINDS = ["int", "double", "string", "bool", "ints", "words", "items"]
FIELDS = {
    "int": ["event.i", "event.j", "event.ints[0]", 'event["i"]'],
    "double": ["event.x", "event.y"],
    "string": ["event.s", "event.t", "event.words[1]", "event.items[0].s"],
    "bool": ["event.b", "event.items[0].ok"],
    "ints": ["event.ints", "[1, 2, 3]"],
    "words": ["event.words", "[]"],
    "items": ["event.items"],
}
ELEMENTS = {"ints": "int", "words": "string"}

ITEMS = st.fixed_dictionaries({"s": TEXTS, "n": INTS, "ok": st.booleans()})
EVENTS = st.fixed_dictionaries(
    {
        "i": INTS,
        "j": INTS,
        "x": DOUBLES,
        "y": DOUBLES,
        "s": TEXTS,
        "t": TEXTS,
        "b": st.booleans(),
        "ints": st.lists(INTS, min_size=1, max_size=3),
        "words": st.lists(TEXTS, min_size=2, max_size=3),
        "items": st.lists(ITEMS, min_size=1, max_size=2),
    },
    optional={"extra": st.none() | INTS},
)


class Writer:
    """Writes an expression of a kind; a `wild` one often takes another kind than it should."""

    def __init__(self, draw: st.DrawFn, wild: bool) -> None:
        self.draw = draw
        self.wild = wild
        self.bound: dict[str, list[str]] = {}

    def write(self, kind: str, depth: int) -> str:
        if self.wild and self.draw(st.integers(0, 3)) == 0:
            kind = self.draw(st.sampled_from(KINDS))
        if depth == 0 or self.draw(st.integers(0, 5)) == 0:
            return self.leaf(kind)
        forms: dict[str, list[Callable[[str, int], str]]] = {
            "int": [self.sum, self.size, self.choice, self.negative],
            "double": [self.sum, self.choice, self.negative],
            "string": [self.joined, self.choice, self.converted],
            "bool": [self.comparison, self.logic, self.loop, self.test, self.choice, self.inside],
            "ints": [self.filtered, self.mapped, self.joined],
            "words": [self.filtered, self.mapped],
            "items": [self.filtered],
        }
        return self.draw(st.sampled_from(forms[kind]))(kind, depth - 1)

    def leaf(self, kind: str) -> str:
        if kind in ("int", "double", "string", "bool") and self.draw(st.booleans()):
            return self.constant(kind)
        return self.draw(st.sampled_from(FIELDS[kind] + self.bound.get(kind, [])))

    def constant(self, kind: str) -> str:
        if kind == "string":
            return "'" + self.draw(TEXTS) + "'"
        return str(self.draw({"int": INTS, "double": DOUBLES, "bool": st.booleans()}[kind])).lower()

    def sum(self, kind: str, depth: int) -> str:
        sign = self.draw(st.sampled_from("+-*/%" if kind == "int" else "+-*"))
        return f"({self.write(kind, depth)} {sign} {self.write(kind, depth)})"

    def negative(self, kind: str, depth: int) -> str:
        return f"-({self.write(kind, depth)})"

    def size(self, kind: str, depth: int) -> str:
        return f"size({self.write(self.draw(st.sampled_from(['string', 'ints', 'words', 'items'])), depth)})"

    def choice(self, kind: str, depth: int) -> str:
        return f"({self.write('bool', depth)} ? {self.write(kind, depth)} : {self.write(kind, depth)})"

    def joined(self, kind: str, depth: int) -> str:
        return f"({self.write(kind, depth)} + {self.write(kind, depth)})"

    def converted(self, kind: str, depth: int) -> str:
        return f"string({self.write(self.draw(st.sampled_from(['int', 'bool', 'string'])), depth)})"

    def comparison(self, kind: str, depth: int) -> str:
        sign = self.draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
        # Lists can only be equal or not.
        kinds = KINDS[:4] if sign[0] in "<>" else KINDS
        of = self.draw(st.sampled_from(kinds))
        return f"({self.write(of, depth)} {sign} {self.write(of, depth)})"

    def logic(self, kind: str, depth: int) -> str:
        terms = [self.write("bool", depth) for _ in range(self.draw(st.integers(1, 3)))]
        return "(" + self.draw(st.sampled_from([" && ", " || "])).join(terms) + ")" if terms[1:] else f"!{terms[0]}"

    def test(self, kind: str, depth: int) -> str:
        if self.draw(st.integers(0, 4)) == 0:
            return self.draw(st.sampled_from(["has(event.extra)", "has(event.items[0].s)", "has(event.i)"]))
        method = self.draw(st.sampled_from(["startsWith", "endsWith", "contains"]))
        return f"{self.write('string', depth)}.{method}({self.write('string', depth)})"

    def inside(self, kind: str, depth: int) -> str:
        list_kind = self.draw(st.sampled_from(["ints", "words"]))
        return f"({self.write(ELEMENTS[list_kind], depth)} in {self.write(list_kind, depth)})"

    def loop(self, kind: str, depth: int) -> str:
        list_kind = self.draw(st.sampled_from(["ints", "words", "items"]))
        name = self.draw(st.sampled_from(["exists", "all", "exists_one"]))
        return f"{self.write(list_kind, depth)}.{name}(v, {self.within(list_kind, 'bool', depth)})"

    def filtered(self, kind: str, depth: int) -> str:
        return f"{self.write(kind, depth)}.filter(v, {self.within(kind, 'bool', depth)})"

    def mapped(self, kind: str, depth: int) -> str:
        return f"{self.write('items', depth)}.map(v, {self.within('items', ELEMENTS[kind], depth)})"

    def within(self, list_kind: str, kind: str, depth: int) -> str:
        """An expression of `kind` that may use the loop's variable."""
        before = self.bound
        element = ELEMENTS.get(list_kind)
        self.bound = {element: ["v"]} if element else {"string": ["v.s"], "int": ["v.n"], "bool": ["v.ok"]}
        written = self.write(kind, depth)
        self.bound = before
        return written


@st.composite
def fitting(draw: st.DrawFn) -> str:
    return Writer(draw, wild=False).write(draw(st.sampled_from(KINDS)), depth=3)


@st.composite
def wild(draw: st.DrawFn) -> str:
    return Writer(draw, wild=True).write(draw(st.sampled_from(KINDS)), depth=3)
