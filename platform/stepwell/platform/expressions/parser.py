"""From text to tree."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from stepwell.platform.expressions.calls import LOOPS, call_of, loop_of
from stepwell.platform.expressions.errors import Mistake
from stepwell.platform.expressions.literals import number_of, string_of
from stepwell.platform.expressions.syntax import (
    Binary,
    Choice,
    Constant,
    Entries,
    Items,
    Logic,
    Member,
    Name,
    Node,
    Unary,
    levels_of,
)
from stepwell.platform.expressions.tokens import Token, tokens_of

MAX_TEXT = 4_096
MAX_DEPTH = 64

LEVELS: Final = {
    "||": 1, "&&": 2,
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip
CONSTANTS: Final = {"null": None, "true": True, "false": False}
HINTS: Final = {
    "and": 'write "&&"', "or": 'write "||"', "not": 'write "!"', "is": 'write "=="',
    "None": "write null", "True": "write true", "False": "write false", "undefined": "write null",
}  # fmt: skip


def parse(text: str, names: Iterable[str]) -> Node:
    """The tree of an expression over the variables `names`. Raises `Mistake`."""
    if len(text) > MAX_TEXT:
        raise Mistake(f"the expression has {len(text):,} characters; the limit is {MAX_TEXT:,}", MAX_TEXT)
    root = _Parser(text, names).whole()
    for node, level in levels_of(root):
        if level > MAX_DEPTH:
            raise _too_deep(node.start)
    return root


def _too_deep(position: int) -> Mistake:
    return Mistake(f"this is nested more than {MAX_DEPTH} levels deep; split the expression", position)


class _Parser:
    """Reads an expression from its tokens, by recursive descent; binary operators by their level."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self._tokens = tuple(tokens_of(text))
        self._at = 0
        self._depth = 0
        self._names = list(names)

    def whole(self) -> Node:
        root = self._expression()
        if self._next.kind != "end":
            raise self._unexpected(HINTS.get(self._next.text, "an operator or the end should be here"))
        return root

    def _expression(self) -> Node:
        node = self._operation(1)
        return self._choice(node) if self._take("?") else node

    def _choice(self, test: Node) -> Node:
        self._depth += 1
        yes = self._expression()
        self._expect(":")
        no = self._expression()
        self._depth -= 1
        return Choice(test.start, no.end, test, yes, no)

    def _operation(self, least: int) -> Node:
        # Everything that recurs comes by here.
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(self._next.start)
        left = self._unary()
        while self._next.is_sign(*LEVELS) and LEVELS[self._next.text] >= least:
            sign = self._pass()
            left = _joined(left, sign, self._operation(LEVELS[sign.text] + 1))
        self._depth -= 1
        return left

    def _unary(self) -> Node:
        signs: list[Token] = []
        while self._next.is_sign("!", "-"):
            signs.append(self._pass())
        if signs and signs[-1].text == "-" and self._next.kind in ("int", "double"):
            # The least int has no positive counterpart, so the sign is part of the number.
            node = self._members(self._number(signs.pop()))
        else:
            node = self._members(self._primary())
        for sign in reversed(signs):
            node = Unary(sign.start, node.end, sign.text, node)
        return node

    def _members(self, node: Node) -> Node:
        while True:
            if self._take("."):
                node = self._member(node)
            elif self._take("["):
                key = self._expression()
                node = Member(node.start, self._expect("]").end, node, key, dotted=False)
            else:
                return node

    def _member(self, target: Node) -> Node:
        name = self._pass()
        if name.kind != "word":
            raise Mistake(f'a field\'s name should be after ".", not {name}; other keys go into ["…"]', name.start)
        if not self._take("("):
            key = Constant(name.start, name.end, name.text)
            return Member(target.start, name.end, target, key, dotted=True)
        if name.text in LOOPS:
            return self._loop(name, target)
        arguments, end = self._several(")")
        return call_of(name, target, arguments, target.start, end)

    def _loop(self, name: Token, target: Node) -> Node:
        variable = self._pass()
        if variable.kind != "word" or variable.text in CONSTANTS or variable.is_sign("in"):
            raise Mistake(f"{name.text}() begins with a variable, as in list.{name.text}(x, …)", variable.start)
        self._names.append(variable.text)
        bodies: list[Node] = []
        while self._take(","):
            bodies.append(self._expression())
        self._names.pop()
        return loop_of(name, variable, target, tuple(bodies), self._expect(")").end)

    def _primary(self) -> Node:
        token = self._next
        if token.kind in ("int", "double"):
            return self._number(None)
        if token.kind == "string":
            self._pass()
            return Constant(token.start, token.end, string_of(token))
        if token.kind == "word" and token.text != "in":
            return self._word(self._pass())
        return self._bracketed()

    def _bracketed(self) -> Node:
        opening = self._next
        if self._take("("):
            inside = self._expression()
            return replace(inside, start=opening.start, end=self._expect(")").end)
        if self._take("["):
            items, end = self._several("]")
            return Items(opening.start, end, items)
        if self._take("{"):
            return self._entries(opening)
        raise self._unexpected("a value should be here")

    def _number(self, minus: Token | None) -> Constant:
        token = self._pass()
        return Constant((minus or token).start, token.end, number_of(token, negative=minus is not None))

    def _word(self, word: Token) -> Node:
        if self._take("("):
            arguments, end = self._several(")")
            return call_of(word, None, arguments, word.start, end)
        if word.text in CONSTANTS:
            return Constant(word.start, word.end, CONSTANTS[word.text])
        if word.text not in self._names:
            hint = HINTS.get(word.text, f"there are {', '.join(sorted(set(self._names))) or 'none'}")
            raise Mistake(f'there is no variable "{word.text}"; {hint}', word.start)
        return Name(word.start, word.end, word.text)

    def _several(self, closing: str) -> tuple[tuple[Node, ...], int]:
        """Expressions with commas between them, and where the closing bracket ends."""
        nodes: list[Node] = []
        while not self._next.is_sign(closing):
            nodes.append(self._expression())
            if not self._take(","):
                break
        return tuple(nodes), self._expect(closing).end

    def _entries(self, opening: Token) -> Entries:
        entries: list[tuple[Node, Node]] = []
        while not self._next.is_sign("}"):
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression()))
            if not self._take(","):
                break
        return Entries(opening.start, self._expect("}").end, tuple(entries))

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _pass(self) -> Token:
        token = self._next
        # The end is never passed, so that there is always a next one.
        self._at += token.kind != "end"
        return token

    def _take(self, sign: str) -> bool:
        taken = self._next.is_sign(sign)
        self._at += taken
        return taken

    def _expect(self, sign: str) -> Token:
        if not self._next.is_sign(sign):
            raise self._unexpected(HINTS.get(self._next.text, f'"{sign}" should be here'))
        return self._pass()

    def _unexpected(self, hint: str) -> Mistake:
        return Mistake(f"{self._next} is unexpected; {hint}", self._next.start)


def _joined(left: Node, sign: Token, right: Node) -> Node:
    if sign.text in ("&&", "||"):
        return Logic(left.start, right.end, sign.text, (*_terms(left, sign.text), *_terms(right, sign.text)))
    return Binary(left.start, right.end, sign.text, sign.start, left, right)


def _terms(node: Node, sign: str) -> tuple[Node, ...]:
    return node.terms if isinstance(node, Logic) and node.sign == sign else (node,)
