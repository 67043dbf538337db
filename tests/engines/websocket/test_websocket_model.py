"""The websocket engine's pure parts: counts, rates, the quote."""

import asyncio
import datetime as dt
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.kit import codec
from engines.websocket.config import Config
from engines.websocket.frames import frame
from engines.websocket.hub import Client, Hub, Rates
from engines.websocket.model import Streamed, quote, step
from engines.wire.bundle import bars
from engines.wire.errors import DataError
from engines.wire.messages import Envelope, FeatureRow, Features, Header, Levels, Quotes, Signal, Trades
from engines.wire.ticks import LEVEL, QUOTE, TRADE


def envelope(body, n: int = 1) -> Envelope:
    return Envelope(body.TOPIC, f"{n}-0", Header("p", 1, n, "", 0, "t", n, 0, 0), body)


def test_messages_and_ticks_are_counted_and_survive_the_codec() -> None:
    state = Streamed()
    for n in range(1, 4):
        for body in (
            Trades(("A",), bytes(3 * TRADE.itemsize)),
            Quotes(("A",), bytes(2 * QUOTE.itemsize)),
            Levels(("A",), bytes(LEVEL.itemsize)),
            Signal("s", "A", 1, ""),
        ):
            state, out = step(state, envelope(body, n))
            assert not out
            state = codec.decode(codec.encode(state), Streamed)
    counted = {topic: (count.messages, count.ticks) for topic, count in state.topics.items()}
    assert counted == {"trades": (3, 9), "quotes": (3, 6), "levels": (3, 3), "signals": (3, 0)}
    assert state.topics["signals"].last_id == "3-0"


def test_not_a_number_is_null_in_a_frame() -> None:
    row = FeatureRow("A", 1, float("nan"), None, 1.5, 2.0)
    assert json.loads(frame(envelope(Features((row,)))))["body"]["rows"] == [["A", 1, None, None, 1.5, 2.0]]


@given(
    events=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=60),
    window=st.integers(1, 10),
)
def test_rates_equal_a_count_over_the_window(events: list[tuple[str, int]], window: int) -> None:
    rates = Rates(10)
    second, log = 0, []
    for topic, step_s in events:
        second += step_s
        rates.count(topic, second)
        log.append((topic, second))
    for topic in "ab":
        count = sum(1 for t, at in log if t == topic and second - window <= at < second)
        assert rates.mean(second, window).get(topic, 0.0) == count / window


@given(offers=st.integers(0, 40), queue=st.integers(1, 10))
def test_sent_and_dropped_add_up_and_the_newest_survive(offers: int, queue: int) -> None:
    client = Client(1, frozenset(), queue, 0)
    for n in range(offers):
        client.offer(str(n).encode())

    async def drain() -> list[bytes]:
        return [await client.next() for _ in range(len(client.waiting) + (client.dropped > 0))]

    got = asyncio.run(asyncio.wait_for(drain(), 5))
    if client.dropped:
        assert json.loads(got.pop(0)) == {"type": "dropped", "count": client.dropped}
    assert [int(data) for data in got] == list(range(max(0, offers - queue), offers))
    assert client.sent + client.dropped == offers


def test_a_replayed_message_is_not_fanned_out_again() -> None:
    hub = Hub(Config(), lambda: 0)
    client = hub.join(frozenset({"signals"}))
    assert client is not None
    for n in (1, 2, 1, 2, 3):
        hub.offer(envelope(Signal("s", "A", n, ""), n))
    assert [json.loads(data)["body"]["target"] for data in client.waiting] == [1, 2, 3]


def test_a_quote_is_the_days_bar_against_the_one_before() -> None:
    found = quote(bars("SPX"), dt.date(1987, 10, 19))
    assert (found.date, found.last, found.previous) == ("1987-10-19", 224.84, 282.70)
    assert found.change_percent == pytest.approx(-20.4669, abs=1e-4)  # the published fall of Black Monday, -20.47 %
    year = bars("SPX").between(dt.date(1986, 10, 1), dt.date(1987, 10, 19))
    assert found.year_high == np.max(year.high[-252:])
    assert found.year_low == np.min(year.low[-252:])
    assert quote(bars("SPX"), dt.date(1987, 10, 18)).date == "1987-10-16"  # a Sunday
    with pytest.raises(DataError):
        quote(bars("FB"), dt.date(2012, 5, 18))
