"""What holds for every tape, whatever the seed: pins, order, ticks, quotes, digests, errors."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.marketdata.tape.tape import Tape, make, warm
from engines.wire.errors import DataError, UsageError
from engines.wire.scenario import Scenario
from engines.wire.scenario_file import ScenarioErrors, load
from engines.wire.session import NS, epoch_ns, open_ns
from engines.wire.ticks import DEPTH, LEVEL, QUOTE, TRADE

SMALL = replace(load("flash-crash-2010"), ticks=5_000)


@pytest.fixture(scope="module")
def tape() -> Tape:
    return make(load("flash-crash-2010"), seed=7)


def assert_pinned(tape: Tape) -> None:
    """Open, high, low, close and volume exactly; high and low printed once."""
    for symbol, pin in enumerate(tape.pins[1:], start=1):
        own = tape.trades[tape.trades["symbol"] == symbol]
        price = own["price"]
        assert (price[0], price.max(), price.min(), price[-1]) == (pin.open, pin.high, pin.low, pin.close)
        assert (price == pin.low).sum() == (price == pin.high).sum() == 1
        assert own["size"].sum() == pin.volume
        assert own["size"].min() >= 1
    index, level = tape.pins[0], tape.levels["level"]
    assert (level[0], level.max(), level.min(), level[-1]) == (index.open, index.high, index.low, index.close)
    assert (level == index.low).sum() == (level == index.high).sum() == 1


def assert_coherent(tape: Tape) -> None:
    """Times ordered; quotes uncrossed, on the tick, around the trade; the trade at the touch of its side."""
    trades, quotes = tape.trades, tape.quotes
    assert (trades.dtype, quotes.dtype, tape.levels.dtype) == (TRADE, QUOTE, LEVEL)
    assert (np.diff(trades["ts"]) >= 0).all()
    assert np.array_equal(trades["ts"], quotes["ts"])
    assert np.array_equal(trades["symbol"], quotes["symbol"])
    assert (quotes["bid"] < quotes["ask"]).all()
    assert (quotes["bid"] > 0).all()
    assert (quotes["bid_size"] >= 1).all()
    assert (quotes["ask_size"] >= 1).all()
    assert set(np.unique(trades["side"])) == {-1, 1}
    for symbol, instrument in enumerate(tape.scenario.instruments, start=1):
        own = quotes[quotes["symbol"] == symbol]
        tick = round(instrument.tick * 10_000)
        assert not (own["bid"] % tick).any()
        assert not (own["ask"] % tick).any()
        off = trades["price"][trades["symbol"] == symbol] % tick != 0
        assert off.sum() <= 4  # only the pins may stand off the tick
    assert (quotes["bid"] <= trades["price"]).all()
    assert (trades["price"] <= quotes["ask"]).all()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**63), ticks=st.integers(2_000, 8_000))
def test_pins_and_order_hold_for_any_seed_and_size(seed: int, ticks: int) -> None:
    tape = make(replace(SMALL, ticks=ticks), seed)
    assert_pinned(tape)
    assert_coherent(tape)


def test_pins_and_order_hold_at_full_size(tape: Tape) -> None:
    assert_pinned(tape)
    assert_coherent(tape)
    assert abs(tape.trades.size - 200_000) < 4 * np.sqrt(200_000) / 0.3 + 2_000  # four sd of the count, and the pause


def test_prints_that_pin_off_cent_prices_stand_between_quotes_on_the_tick() -> None:
    day = replace(SMALL, date=dt.date(2010, 5, 5))  # GOOG's low 500.4701 is off the cent
    tape = make(day, seed=1)
    assert any(pin.low % 100 for pin in tape.pins[2:])
    assert_pinned(tape)
    assert_coherent(tape)


def test_times_are_those_of_the_new_york_session(tape: Tape) -> None:
    opening = open_ns(tape.scenario.date)
    assert tape.trades["ts"][0] >= opening
    assert tape.trades["ts"][-1] <= opening + 23_400 * NS
    assert np.array_equal(tape.levels["ts"], opening + np.arange(23_401) * NS)
    assert tape.levels["ts"][tape.levels["level"].argmin()] == epoch_ns(tape.scenario.date, tape.scenario.leg.low_at)


def test_nothing_trades_in_a_pause_and_the_others_go_on(tape: Tape) -> None:
    (pause,) = tape.scenario.pauses
    start, end = (epoch_ns(tape.scenario.date, time) for time in (pause.start, pause.end))
    inside = tape.trades[(tape.trades["ts"] > start) & (tape.trades["ts"] < end)]
    symbols = {tape.scenario.symbols[symbol] for symbol in np.unique(inside["symbol"])}
    assert symbols == {"AAPL", "GOOG", "IBM", "MSFT"}


def test_same_seed_gives_the_same_digest_and_another_seed_another() -> None:
    assert make(SMALL, 3).digest() == make(SMALL, 3).digest()
    assert make(SMALL, 3).digest() != make(SMALL, 4).digest()


def test_digest_sees_every_column() -> None:
    made = make(SMALL, 3)
    seen = {made.digest()}
    for part in ("trades", "quotes", "levels", "depths"):
        rows = getattr(made, part)
        for name in rows.dtype.names:
            changed = rows.copy()
            changed[name][-1] += 1
            seen.add(replace(made, **{part: changed}).digest())
    assert len(seen) == 1 + len(TRADE) + len(QUOTE) + len(LEVEL) + len(DEPTH)


def test_the_measured_window_does_not_change_the_tape() -> None:
    assert make(SMALL.quick(5), 3).digest() == make(SMALL, 3).digest()


def test_rows_are_read_only(tape: Tape) -> None:
    for rows in (tape.trades, tape.quotes, tape.levels, tape.depths):
        assert not rows.flags.writeable


def without(scenario: Scenario, *symbols: str) -> Scenario:
    return replace(scenario, instruments=tuple(i for i in scenario.instruments if i.symbol not in symbols))


def test_what_cannot_be_made_is_refused_with_its_reason() -> None:
    with pytest.raises(ScenarioErrors, match="pauses"):
        make(without(SMALL, "ESX"), 0)
    rare = tuple(replace(item, weight=1e-9) if item.symbol == "IBM" else item for item in SMALL.instruments)
    with pytest.raises(UsageError, match="IBM has 0 trades"):
        make(replace(SMALL, instruments=rare), 0)
    rule = SMALL.instruments[0].volume
    assert rule is not None
    few = replace(rule, contracts=100)
    thin = (replace(SMALL.instruments[0], volume=few), *SMALL.instruments[1:])
    with pytest.raises(UsageError, match="volume share"):
        make(replace(SMALL, instruments=thin), 0)
    with pytest.raises(DataError, match="is its open or its close"):
        make(replace(without(SMALL, "AAPL", "GOOG", "IBM", "MSFT"), date=dt.date(2008, 10, 7)), 0)


def test_warm_leaves_the_kernels_compiled() -> None:
    from engines.marketdata.tape.arrivals import _thin
    from engines.marketdata.tape.prints import _fill

    warm()
    signatures = len(_thin.signatures), len(_fill.signatures)
    make(SMALL, 5)
    assert (len(_thin.signatures), len(_fill.signatures)) == signatures == (1, 1)
