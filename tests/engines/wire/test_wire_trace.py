"""Which replay a trace names."""

import pytest

from engines.wire.trace import replay_of


@pytest.mark.parametrize(
    ("trace", "number"),
    [
        ("r1/before", 1),
        ("r12/window", 12),
        ("r3", 3),
        ("", None),
        ("request/7", None),
        ("r/x", None),
        ("r2x/after", None),
    ],
)
def test_the_number_of_the_replay(trace: str, number: int | None) -> None:
    assert replay_of(trace) == number
