"""Never more than the limit in any window, and no wait that is not needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.data.sources import limiter
from engines.data.sources.errors import QuotaExhausted, RateLimited
from engines.data.sources.limiter import Limit, Limiter


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


limits = st.lists(st.builds(Limit, st.integers(1, 12), st.sampled_from((0.5, 1.0, 7.0, 60.0))), min_size=1, max_size=3)
pauses = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60)


@given(limits, pauses)
def test_no_window_holds_more_than_the_limit(found: list[Limit], gaps: list[float]) -> None:
    clock = Clock()
    gate = Limiter(tuple(found), clock.read, clock.sleep)
    sent = []
    for gap in gaps:
        clock.now += gap
        gate.acquire("x", deadline=float("inf"))
        sent.append(clock.now)
    for limit in found:
        for i in range(len(sent) - limit.count):
            assert sent[i + limit.count] - sent[i] >= limit.per_s * (1 - 1e-9)


@given(st.integers(1, 20), st.integers(1, 20))
def test_up_to_the_limit_nobody_waits(count: int, asked: int) -> None:
    clock = Clock()
    gate = Limiter((Limit(count, 10.0),), clock.read, clock.sleep)
    for _ in range(min(count, asked)):
        gate.acquire("x", clock.now)
    assert clock.slept == 0


def test_a_wait_beyond_the_deadline_is_refused_and_takes_nothing() -> None:
    clock = Clock()
    gate = Limiter((Limit(1, 10.0),), clock.read, clock.sleep)
    gate.acquire("x", clock.now)
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            gate.acquire("x", clock.now + 9.9)
        assert caught.value.retry_after == pytest.approx(10.0)
    assert clock.slept == 0
    gate.acquire("x", clock.now + 10.0)
    assert clock.slept == pytest.approx(10.0)


def test_a_days_allowance_is_a_quota() -> None:
    clock = Clock()
    gate = Limiter((Limit(25, 86_400.0), Limit(1, 1.0)), clock.read, clock.sleep)
    for _ in range(25):
        gate.acquire("x", clock.now + 60)
    with pytest.raises(QuotaExhausted, match="25 requests"):
        gate.acquire("x", clock.now + 60)


def test_connectors_to_one_address_share_its_budget() -> None:
    one, other = (Limit(3, 1.0),), (Limit(4, 1.0),)
    assert limiter.shared("https://a", one) is limiter.shared("https://a", one)
    assert limiter.shared("https://a", one) is not limiter.shared("https://b", one)
    assert limiter.shared("https://a", one) is not limiter.shared("https://a", other)
