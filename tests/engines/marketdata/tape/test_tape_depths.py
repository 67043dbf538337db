"""The displayed book: consistent with the quotes, ordered, thin under stress, silent in halts."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from engines.marketdata.tape.tape import Tape, make
from engines.wire.scenario_file import load
from engines.wire.session import NS, epoch_ns, open_ns
from engines.wire.ticks import BOOK_LEVELS, DEPTH


@pytest.fixture(scope="module")
def tape() -> Tape:
    return make(replace(load("flash-crash-2010"), ticks=60_000), 7)


def test_level_one_is_the_quote_that_stands(tape: Tape) -> None:
    for symbol in range(1, len(tape.pins)):
        quotes = tape.quotes[tape.quotes["symbol"] == symbol]
        books = tape.depths[tape.depths["symbol"] == symbol]
        at = np.searchsorted(quotes["ts"], books["ts"], side="right") - 1
        assert at.min() >= 0
        for column in ("bid", "ask", "bid_size", "ask_size"):
            assert np.array_equal(books[column][:, 0], quotes[column][at])


def test_books_are_ordered_uncrossed_and_on_the_tick(tape: Tape) -> None:
    books = tape.depths
    assert books.dtype == DEPTH
    assert (np.diff(books["ts"]) >= 0).all()
    assert (books["bid"][:, 0] < books["ask"][:, 0]).all()
    assert (np.diff(books["bid"], axis=1) < 0).all()
    assert (np.diff(books["ask"], axis=1) > 0).all()
    ticks = np.array([1, 2_500, 100, 100, 100, 100])[books["symbol"]]
    for side in ("bid", "ask"):
        assert not (books[side] % ticks[:, None]).any()
        assert (books[f"{side}_size"] >= 1).all()
        assert books[side].shape[1] == BOOK_LEVELS


def test_there_is_a_book_every_second_and_one_after_each_walking_sweep(tape: Tape) -> None:
    opening = open_ns(tape.scenario.date)
    swept = 0
    for symbol in range(1, len(tape.pins)):
        ts = tape.depths["ts"][tape.depths["symbol"] == symbol]
        whole = (ts - opening) % NS == 0
        first = tape.quotes["ts"][tape.quotes["symbol"] == symbol][0]
        paused = 4 if symbol == 1 else 0
        assert whole.sum() == 23_400 - (first - opening) // NS - paused
        own = tape.trades[tape.trades["symbol"] == symbol]
        edges = np.flatnonzero(np.diff(own["ts"]) > 0)
        first_of = np.concatenate(([0], edges + 1))
        last_of = np.concatenate((edges, [own.size - 1]))
        walked = own["ts"][last_of[own["price"][last_of] != own["price"][first_of]]]
        assert np.array_equal(ts[~whole], walked)
        swept += walked.size
    assert swept > 500


def test_the_book_thins_with_stress_and_its_prices_spread_out(tape: Tape) -> None:
    books = tape.depths[tape.depths["symbol"] == 1]
    low = epoch_ns(tape.scenario.date, tape.scenario.leg.low_at)
    shown = (books["bid_size"] + books["ask_size"]).sum(axis=1)
    width = (books["ask"] - books["bid"])[:, -1]
    morning, worst = books["ts"] < low - 9_000 * NS, (books["ts"] > low - 3 * NS) & (books["ts"] <= low)
    assert shown[worst].mean() < 0.02 * shown[morning].mean()
    assert width[worst].mean() > 2 * width[morning].mean()


def test_nothing_is_shown_of_an_instrument_that_is_paused(tape: Tape) -> None:
    start, end = (epoch_ns(tape.scenario.date, dt.time(14, 45, second)) for second in (28, 33))
    inside = (tape.depths["ts"] > start) & (tape.depths["ts"] < end)
    assert set(np.unique(tape.depths["symbol"][inside])) == {2, 3, 4, 5}
