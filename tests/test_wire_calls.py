"""What an app is told when it is called: in the canonical form of JSON wherever its pieces are."""

from hypothesis import given
from hypothesis import strategies as st

from stepwell.functions.journal import Outcome
from stepwell.platform.codec import decode, encode
from stepwell.platform.wire.calls import FIRST, Call, Script
from stepwell.platform.wire.signing import canonical

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


def form(piece: bytes) -> bytes:
    return canonical(decode(piece))


@given(VALUES, st.lists(VALUES, max_size=4), st.integers(-1, 2), st.booleans())
def test_a_body_is_canonical(data: object, outputs: list[object], version: int, planned: bool) -> None:
    event = encode({"id": "E", "name": "paid", "data": data, "ts": 5})
    script = Script("RUN", "shop/pay", "S:1", [event], 5, form)
    for turn, output in enumerate(outputs):
        script.add(Outcome(f"step {turn}", "run", "done", turn, 1, 0, encode(output)))
    body = script.body(Call(FIRST, 0, planned, version, "S:1:1"))
    assert canonical(decode(body)) == body
    assert len(decode(body)["steps"]) == len(outputs)
