"""Overlays: what a checker of the feed finds is what was declared; they compose in any order; pins hold or are told."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.marketdata.day import evidence
from engines.marketdata.tape.overlays.lay import KINDS, lay
from engines.marketdata.tape.tape import Tape, make
from engines.wire.errors import UsageError
from engines.wire.messages import Fault
from engines.wire.scenario import Overlay, OverlayKind
from engines.wire.scenario_brief import FINDS
from engines.wire.scenario_file import load
from engines.wire.session import epoch_ns, wall_time

CLEAN = make(replace(load("flash-crash-2010"), ticks=20_000), 3)
FROM, TO = dt.time(14, 40), dt.time(14, 50)


def at(time: dt.time) -> int:
    return epoch_ns(CLEAN.scenario.date, time)


def inside(tape: Tape, name: str, symbol: int | None = None) -> np.ndarray:
    rows = getattr(tape, name)
    found = (rows["ts"] >= at(FROM)) & (rows["ts"] < at(TO))
    return rows[found if symbol is None else found & (rows["symbol"] == symbol)]


def one(kind: OverlayKind, symbol: str = "*", amount: float = 0.0) -> Tape:
    return lay(CLEAN, [Overlay(kind, FROM, TO, symbol, amount)])


def contradicted(tape: Tape) -> int:
    """Trades that do not lie between the bid and the ask of their own row."""
    price, quotes = tape.trades["price"], tape.quotes
    return int(((price < quotes["bid"]) | (price > quotes["ask"])).sum())


def test_a_clean_tape_has_nothing_to_find() -> None:
    assert contradicted(CLEAN) == 0
    assert (CLEAN.quotes["bid"] < CLEAN.quotes["ask"]).all()
    assert (np.diff(CLEAN.trades["ts"]) >= 0).all()
    assert lay(CLEAN, []).digest() == CLEAN.digest()


def test_a_stale_feed_shows_one_quote_while_trades_go_on() -> None:
    tape = one("feed-stale", "AAPL")
    stuck = inside(tape, "quotes", 2)
    assert stuck.size > 50
    assert np.unique(stuck[["bid", "ask", "bid_size", "ask_size"]]).size == 1
    before = CLEAN.quotes[(CLEAN.quotes["symbol"] == 2) & (CLEAN.quotes["ts"] < at(FROM))][-1]
    assert stuck["bid"][0] == before["bid"]
    assert np.array_equal(tape.trades, CLEAN.trades)
    assert contradicted(tape) > 20
    assert tape.findings[0].count == stuck.size
    assert inside(tape, "depths", 2).size == 0
    assert inside(tape, "depths", 3).size == inside(CLEAN, "depths", 3).size
    assert tape.released == ()


def test_a_gap_loses_rows_and_releases_the_pins_that_stood_on_them() -> None:
    tape = one("feed-gap", "ESX")
    lost = CLEAN.trades.size - tape.trades.size
    assert lost == tape.findings[0].count == inside(CLEAN, "trades", 1).size > 0
    for name in ("trades", "quotes", "depths"):
        assert inside(tape, name, 1).size == 0
        assert inside(tape, name, 2).size == inside(CLEAN, name, 2).size
    assert {(each.symbol, each.pin) for each in tape.released} == {("ESX", "low"), ("ESX", "volume")}


def test_a_crossed_feed_has_every_bid_above_its_ask() -> None:
    tape = one("crossed", "IBM", amount=2)
    crossed = inside(tape, "quotes", 4)
    was = inside(CLEAN, "quotes", 4)
    assert np.array_equal(crossed["bid"], was["ask"] + 200)
    assert np.array_equal(crossed["ask"], was["bid"] - 200)
    assert (tape.quotes["bid"] > tape.quotes["ask"]).sum() == tape.findings[0].count == crossed.size > 0
    books = inside(tape, "depths", 4)
    assert (books["bid"][:, 0] > books["ask"][:, 0]).all()
    assert tape.released == ()


def test_rows_out_of_order_keep_their_times_and_the_first_and_the_last_their_places() -> None:
    tape = one("out-of-order", amount=5)
    late = tape.trades["ts"] < np.maximum.accumulate(tape.trades["ts"])
    assert late.sum() == tape.findings[0].count > 100
    assert np.array_equal(np.sort(tape.trades, order=["ts", "symbol"]), np.sort(CLEAN.trades, order=["ts", "symbol"]))
    assert np.array_equal(tape.trades["ts"], tape.quotes["ts"])
    assert all(pin.target == pin.got for pin in evidence(tape).pins)
    assert tape.released == ()


def test_a_bad_print_is_corrected_and_then_every_pin_holds_again() -> None:
    tape = one("bad-print", "AAPL", amount=0.6)
    (bust,) = tape.busts
    changed = np.flatnonzero(tape.trades["price"] != CLEAN.trades["price"])
    assert changed.size == 1
    row = tape.trades[changed[0]]
    assert (row["ts"], row["price"], row["size"]) == (bust["trade_ts"], bust["price"], bust["size"])
    assert row["price"] == pytest.approx(0.4 * bust["corrected"], rel=1e-3)
    assert bust["ts"] == at(TO)
    assert [(each.symbol, each.pin) for each in tape.released] == [("AAPL", "low")]
    mended = tape.trades.copy()
    mended["price"][changed] = bust["corrected"]
    assert np.array_equal(mended, CLEAN.trades)


def test_a_bad_print_never_takes_a_print_that_pins() -> None:
    low = CLEAN.trades[CLEAN.trades["price"] == CLEAN.pins[1].low]["ts"][0]
    seconds = (low - epoch_ns(CLEAN.scenario.date, dt.time(9, 30))) / 1e9
    narrow = Overlay("bad-print", wall_time(seconds - 1e-6), wall_time(seconds + 1e-6), "ESX")
    with pytest.raises(UsageError, match="can be wrong"):
        lay(CLEAN, [narrow])


@pytest.mark.parametrize(("kind", "amount"), [("reject-storm", 0.0), ("disconnect", 0.0), ("late-fills", 5.0)])
def test_faults_of_the_venue_leave_the_tape_alone(kind: OverlayKind, amount: float) -> None:
    tape = one(kind, "MSFT")
    assert tape.faults == (Fault(kind, "MSFT", at(FROM), at(TO), amount),)  # type: ignore[arg-type]  # a venue's kind
    assert tape.digest() == CLEAN.digest()


Times = st.integers(1, 23_000).flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 60, 23_400)))
Overlays = st.lists(
    st.builds(
        lambda kind, span, symbol: Overlay(kind, wall_time(span[0]), wall_time(span[1]), symbol),
        st.sampled_from([kind for kind in KINDS if kind != "bad-print"]),
        Times,
        st.sampled_from(["*", "ESX", "AAPL", "GOOG", "IBM", "MSFT"]),
    ),
    max_size=5,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(overlays=Overlays, shuffled=st.randoms(use_true_random=False))
def test_any_composition_is_the_same_in_any_order_and_tells_every_pin_that_breaks(overlays, shuffled) -> None:
    before = CLEAN.digest()
    tape = lay(CLEAN, overlays)
    again = list(overlays)
    shuffled.shuffle(again)
    other = lay(CLEAN, again)
    assert (tape.digest(), tape.faults, tape.findings) == (other.digest(), other.faults, other.findings)
    assert CLEAN.digest() == before
    assert len(tape.findings) == len(overlays)
    if all((tape.trades["symbol"] == symbol).any() for symbol in range(1, len(tape.pins))):
        made = evidence(tape)
        assert [pin for pin in made.pins if pin.target != pin.got] == []


def test_every_kind_is_laid_and_described() -> None:
    assert set(KINDS) == set(FINDS)
