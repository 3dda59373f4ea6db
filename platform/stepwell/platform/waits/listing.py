"""Open waits for events, as they are listed under words, and what is kept until they are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

from stepwell.platform.codec import decode, encode
from stepwell.platform.ids import digest_of, home_of
from stepwell.platform.waits.sought import Sought

ALONE = "-"
"""The ordinal of a wait that is the only one of its step."""
ORDINALS = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Listing:
    """One event that is waited for, by a step or, to cancel it, by a run.

    Args:
        name: of the event.
        word: under which the wait is listed.
        rest: of the condition; see `Sought`.
        ordinal: which wait of its step, or `ALONE`.
        after: position behind which events count; `None` for those that come from now on.
        within: ms after the run was created in which an event counts; 0 for no limit.
        own: the event that started the run has this name, and must not be taken for one that has come since.
    """

    name: str
    word: str
    rest: str
    ordinal: str = ALONE
    after: int | None = 0
    within: int = 0
    own: bool = False

    @classmethod
    def of(
        cls, sought: Sought, ordinal: str = ALONE, after: int | None = 0, within: int = 0, *, own: bool = False
    ) -> Self:
        """The listing of what is sought."""
        return cls(sought.name, sought.word, sought.rest, ordinal, after, within, own)

    @property
    def sign(self) -> str:
        """What its members begin with: whether an expression has to be evaluated, and the ordinal."""
        return ("E" if self.rest or self.within or self.own else "S") + self.ordinal

    def text(self, home: int, partitions: int) -> str:
        """As lua/include/listing.lua reads it in the partition `home`, which is that of the run."""
        listed = home_of(self.name, partitions)
        return self.sign + self.word + (f"@{listed}" if listed != home else "")

    @property
    def mark(self) -> str:
        """See `Sought.mark`."""
        return digest_of(f"{self.word} {self.rest}") if self.rest else self.word

    def note(self) -> bytes:
        """As a word of a line: JSON without spaces."""
        return wordlike(encode(asdict(self)))


def wordlike(payload: bytes) -> bytes:
    """JSON in which the spaces, which are all in texts, are written otherwise."""
    return payload.replace(b" ", b"\\u0020")


def listings_in(items: Sequence[Any]) -> list[Listing]:
    """Listings out of parsed JSON."""
    return [Listing(**cast("dict[str, Any]", item)) for item in items]


def noted(note: bytes) -> Listing:
    """A listing out of its note."""
    return listings_in([decode(note)])[0]


@dataclass(frozen=True, slots=True)
class Member:
    """Who waits: a step of a run, or the run itself, to be cancelled.

    Args:
        sign: see `Listing.sign`.
        run: its id.
        key: of the step; `None` for a run to be cancelled.
        number: of the event that cancels the run.
    """

    sign: str
    run: str
    key: str | None
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a member of the list of a word."""
        sign, run, mark, rest = text[:2], text[2:28], text[28], text[29:]
        return cls(sign, run, rest, 0) if mark == "|" else cls(sign, run, None, int(rest))

    @property
    def who(self) -> tuple[str, str | None, int]:
        """Who waits, whichever of the events of its step this is for."""
        return self.run, self.key, self.number

    @property
    def evaluates(self) -> bool:
        """Whether the word alone does not say that an event is the one."""
        return self.sign[0] == "E"

    @property
    def ordinal(self) -> str:
        """See `Listing.ordinal`."""
        return self.sign[1]

    @property
    def text(self) -> str:
        """As it is on the list."""
        return f"{self.sign}{self.run}" + (f"!{self.number}" if self.key is None else f"|{self.key}")
