"""Which replay or request a trace names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.trace import is_request_id, least_missed, of_request, replay_of, request_of


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


@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True))
def test_the_trace_of_a_request_names_it_and_no_replay(request: str) -> None:
    assert is_request_id(request)
    assert request_of(of_request(request)) == request
    assert replay_of(of_request(request)) is None


@pytest.mark.parametrize("text", ["", "a b", "a/b", "é", "x" * 65, "a\n", "{id}"])
def test_what_is_no_id_of_a_request(text: str) -> None:
    assert not is_request_id(text)


@pytest.mark.parametrize("trace", ["", "r1/window", "requests/1"])
def test_other_traces_name_no_request(trace: str) -> None:
    assert request_of(trace) is None


def test_requests_are_forgotten_before_replays() -> None:
    assert least_missed(["r1/window", "request/a", "r2/window", "request/b"]) == "request/a"
    assert least_missed(["r1/window", "r2/window"]) == "r1/window"
