"""When to ask again, and for how long."""

import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.data.sources import errors
from engines.data.sources.retry import Patience, Retry, retry_after

NOW = dt.datetime(2024, 3, 1, 12, 0, 0, tzinfo=dt.UTC)


class Attempts:
    """Fails with each error in turn, then succeeds; sleeping is the only thing that takes time."""

    def __init__(self, *failures: errors.SourceError) -> None:
        self.left = list(failures)
        self.count = 0
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self, deadline: float) -> str:
        self.count += 1
        if self.left:
            raise self.left.pop(0)
        return "done"

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def run(self, patience: Patience, seed: int = 1) -> str:
        return Retry(patience, lambda: self.now, self.sleep, random.Random(seed)).call(self)


def limited(seconds: float | None) -> errors.RateLimited:
    return errors.RateLimited("x", "too many", retry_after=seconds)


@pytest.mark.parametrize(
    "error",
    [
        limited(None),
        errors.Unavailable("x", "503"),
        errors.NoReply("x", "time-out"),
        errors.Unreachable("x", "refused"),
        errors.CutShort("x", "cut"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_transient_errors_are_tried_again(error: errors.SourceError) -> None:
    attempts = Attempts(error, error)
    assert attempts.run(Patience(attempts=3)) == "done"
    assert attempts.count == 3


@pytest.mark.parametrize(
    "kind",
    [
        errors.AuthError, errors.NotFound, errors.BadRequest, errors.BadReply, errors.NoData, errors.PremiumRequired,
        errors.NotConfigured, errors.QuotaExhausted, errors.Unsupported,
    ],
)  # fmt: skip
def test_final_errors_are_not(kind: type[errors.SourceError]) -> None:
    attempts = Attempts(kind("x", "no"))
    with pytest.raises(kind):
        attempts.run(Patience(attempts=5))
    assert attempts.count == 1
    assert not attempts.waits


@given(st.integers(0, 2**32), st.floats(0, 30), st.integers(2, 8))
def test_never_earlier_than_the_server_asked(seed: int, asked: float, tries: int) -> None:
    attempts = Attempts(*[limited(asked) for _ in range(tries - 1)])
    patience = Patience(attempts=tries, total_s=1e6, base_s=0.5, cap_s=4.0)
    attempts.run(patience, seed)
    for number, wait in enumerate(attempts.waits):
        assert asked <= wait <= asked + min(4.0, 0.5 * 2**number)


def test_waits_are_spread() -> None:
    firsts = set()
    for seed in range(20):
        attempts = Attempts(limited(None))
        attempts.run(Patience(), seed)
        firsts.add(round(attempts.waits[0], 6))
    assert len(firsts) == 20


@given(st.floats(0.1, 100), st.integers(0, 2**32))
def test_all_ends_before_the_total(total: float, seed: int) -> None:
    attempts = Attempts(*[errors.Unavailable("x", "503") for _ in range(50)])
    with pytest.raises(errors.Unavailable):
        attempts.run(Patience(total_s=total, attempts=40), seed)
    assert attempts.now < total


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    attempts = Attempts(limited(3600))
    with pytest.raises(errors.RateLimited) as caught:
        attempts.run(Patience(total_s=60))
    assert caught.value.retry_after == 3600
    assert not attempts.waits


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Fri, 01 Mar 2024 12:02:00 GMT", 120.0),
        ("Friday, 01-Mar-24 12:02:00 GMT", 120.0),  # the older form, RFC 850
        ("Fri Mar  1 12:02:00 2024", 120.0),  # asctime
        ("Fri, 01 Mar 2024 11:00:00 GMT", 0.0),  # in the past
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
    ],
)
def test_both_forms_of_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds
