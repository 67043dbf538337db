"""Depth operations rebuild the book that they came from, under both readings."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.data.simulators import tws_book as book
from engines.data.simulators.tws_book import Book, Dialect, Level
from engines.data.sources.ibkr_ladder import Ladder

PRICES = st.lists(st.integers(1, 40), max_size=6, unique=True)
SIZES = st.integers(1, 9)


@st.composite
def books(draw: st.DrawFn) -> Book:
    asks, bids = sorted(draw(PRICES)), sorted(draw(PRICES), reverse=True)
    return Book(*(tuple(Level(price / 100, draw(SIZES)) for price in side) for side in (asks, bids)))


def by_position(rows: dict[int, Level], change: book.Change) -> None:
    """The fixed reading: a row lives at its position."""
    if change.operation == book.DELETE:
        del rows[change.position]
    else:
        rows[change.position] = Level(change.price, change.size)


@given(st.lists(books(), max_size=12))
@settings(max_examples=200, deadline=None)
def test_operations_rebuild_every_book(sequence: list[Book]) -> None:
    ladders = {dialect: Ladder() for dialect in Dialect}
    fixed: tuple[dict[int, Level], dict[int, Level]] = ({}, {})
    for before, after in itertools.pairwise([Book(), *sequence]):
        for dialect, ladder in ladders.items():
            for change in book.changes(before, after, dialect):
                ladder.apply(*change)
                if dialect is Dialect.FIXED:
                    by_position(fixed[change.side], change)
            assert (tuple(ladder.asks), tuple(ladder.bids)) == after
            assert ladder.strays == 0
        for rows, side in zip(fixed, after, strict=True):
            assert tuple(rows[n] for n in range(len(rows))) == side


def test_an_operation_on_a_row_that_is_not_there_is_counted_and_changes_nothing() -> None:
    ladder = Ladder()
    ladder.apply(0, 0, 0, 1.0, 1)
    for change in ((2, 0, 0, 2.0, 1), (1, 1, 0, 2.0, 1), (1, 2, 0, 0.0, 0), (0, 2, 1, 0.0, 0), (-1, 1, 0, 2.0, 1)):
        ladder.apply(*change)
    assert ladder.strays == 5
    assert ladder.asks == [(1.0, 1)]


def test_streams_are_functions_of_their_seed() -> None:
    def head(seed: int) -> list[Book]:
        return list(itertools.islice(book.books("IBM", seed, 5), 300))

    assert head(1) == head(1) != head(2)
    for one in head(1):
        assert [level.price for level in one.asks] == sorted({level.price for level in one.asks})
        assert [level.price for level in one.bids] == sorted({level.price for level in one.bids}, reverse=True)
        assert one.bids[0].price < one.asks[0].price
        assert 1 <= len(one.asks) <= 5
        assert min(level.size for side in one for level in side) > 0
    operations = {
        change.operation for a, b in itertools.pairwise(head(1)) for change in book.changes(a, b, Dialect.FIXED)
    }
    assert operations == {book.INSERT, book.UPDATE, book.DELETE}


def test_a_script_resets_where_it_is_told() -> None:
    events = list(itertools.islice(book.script("IBM", 1, 5, 3), 6))
    assert [type(event) for event in events] == [Book, Book, Book, book.Reset, Book, Book]


def test_daily_bars_are_weekdays_to_the_last_day() -> None:
    bars = book.daily("IBM", 1, 500)
    assert len(bars) == 500
    assert bars[-1][0] == "20240131"
    for day, opened, high, low, close, volume in bars:
        assert len(day) == 8
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert volume > 0
