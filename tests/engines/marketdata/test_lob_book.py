"""The compiled book against the plain one, operation by operation, and the laws of a market over any history."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.marketdata.lob.book import Book, ops
from engines.marketdata.lob.layout import (
    CANCEL,
    CANCELLED,
    FILLED,
    IOC,
    LIMIT,
    MARKET,
    REJECTED,
    REPLACE,
    REPLACED,
    RESTED,
    SELF_TRADE,
    TRADE,
    UNKNOWN_ID,
    Events,
)
from tests.engines.marketdata.reference_book import Event, Op, ReferenceBook

operation = st.tuples(
    st.integers(1, 12),
    st.integers(-3, 6),  # a price may be negative: oil was, on 2020-04-20
    st.integers(0, 9),
    st.integers(0, 3),
    st.sampled_from([LIMIT, LIMIT, LIMIT, MARKET, IOC, CANCEL, REPLACE]),
    st.sampled_from([1, -1]),
)
histories = st.lists(operation, max_size=60)


def plain(events: Events) -> list[Event]:
    names = ("order", "other", "price", "quantity", "kind", "code")
    return [tuple(int(row[name]) for name in names) for row in events]  # type: ignore[misc] # six of them


@given(history=histories)
@settings(max_examples=400, deadline=None)
def test_every_operation_gives_the_events_and_the_book_of_the_plain_one(history: list[Op]) -> None:
    book, reference = Book(4), ReferenceBook()
    for op in history:
        assert plain(book.apply(ops([op]))) == reference.do(op)
        for side in (1, -1):
            assert book.resting(side) == reference.resting(side)
        assert len(book) == len(reference.live)


@given(history=histories)
@settings(max_examples=100, deadline=None)
def test_a_batch_is_its_operations_one_by_one(history: list[Op]) -> None:
    whole, reference = Book(), ReferenceBook()
    wanted = [(place, event) for place, op in enumerate(history) for event in reference.do(op)]
    got = whole.apply(ops(history))
    assert list(zip(got["op"].tolist(), plain(got), strict=True)) == wanted


@given(history=histories)
@settings(max_examples=300, deadline=None)
def test_the_laws_hold(history: list[Op]) -> None:
    """Quantity is conserved, the best trades first, nothing is crossed, nobody meets himself, each order ends once."""
    book = Book(4)
    owner: dict[int, int] = {}
    for op in history:
        before = {side: book.resting(side) for side in (1, -1)}
        bids, asks = before[1], before[-1]
        live = {row[0]: row for row in bids + asks}
        events = plain(book.apply(ops([op])))
        order, _, quantity, who, kind, side = op
        after = {row[0]: row for s in (1, -1) for row in book.resting(s)}
        comes = kind in (LIMIT, MARKET, IOC) and order not in live and quantity > 0
        if comes:
            owner[order] = who
        replaced = any(event[4] == REPLACED for event in events)
        traded = sum(event[3] for event in events if event[4] == TRADE)
        ended = [event for event in events if event[4] in (CANCELLED, FILLED)]
        # conservation: what was open and came = what is open, was cancelled, and twice what traded
        came = quantity if comes else quantity - live[order][2] if replaced else 0
        gone = sum(event[3] for event in ended if event[4] == CANCELLED)
        assert sum(row[2] for row in live.values()) + came == sum(row[2] for row in after.values()) + gone + 2 * traded
        # each order leaves once, by one of its endings
        assert len({event[0] for event in ended}) == len(ended)
        assert {event[0] for event in ended} == (live.keys() | ({order} if comes else set())) - after.keys()
        # price, then time: what trades is a prefix of the other side's queue
        partners = [event[1] for event in events if event[4] == TRADE]
        mine = next((s for s, rows in before.items() if any(row[0] == order for row in rows)), side)
        queue = [row[0] for row in before[-mine]]
        assert partners == queue[: len(partners)]
        assert all(event[2] == live[event[1]][1] for event in events if event[4] == TRADE)
        assert all(owner[order] == 0 or owner[order] != owner[partner] for partner in partners)
        # nobody waits who could trade
        best_bid, best_ask = book.resting(1)[:1], book.resting(-1)[:1]
        assert not best_bid or not best_ask or best_bid[0][1] < best_ask[0][1]


@given(history=histories)
@settings(max_examples=50, deadline=None)
def test_the_same_operations_give_the_same_events(history: list[Op]) -> None:
    assert plain(Book().apply(ops(history))) == plain(Book(4).apply(ops(history)))


def test_less_keeps_its_place_and_more_or_another_price_loses_it() -> None:
    book = Book()
    book.apply(ops([(n, 100, 5, n, LIMIT, 1) for n in (1, 2, 3, 4)]))
    book.apply(ops([(1, 100, 3, 0, REPLACE, 0), (2, 100, 6, 0, REPLACE, 0), (3, 101, 5, 0, REPLACE, 0)]))
    assert [row[:3] for row in book.resting(1)] == [(3, 101, 5), (1, 100, 3), (4, 100, 5), (2, 100, 6)]


def test_the_newest_is_cancelled_where_it_meets_its_own() -> None:
    book = Book()
    book.apply(ops([(1, 100, 5, 8, LIMIT, -1), (2, 101, 5, 7, LIMIT, -1), (3, 102, 5, 8, LIMIT, -1)]))
    events = plain(book.apply(ops([(4, 103, 12, 7, LIMIT, 1)])))
    assert (4, 1, 100, 5, TRADE, 0) in events
    assert events[-1] == (4, 0, 103, 7, CANCELLED, SELF_TRADE)
    assert [row[0] for row in book.resting(-1)] == [2, 3]


def test_a_book_grows_and_forgets_nothing() -> None:
    book, reference = Book(4), ReferenceBook()
    sides = [1 if n % 2 else -1 for n in range(800)]
    history: list[Op] = [(n, 1_000 - n % 97 * sides[n], 1 + n % 5, 0, LIMIT, sides[n]) for n in range(1, 800)]
    history += [(n, 0, 0, 0, CANCEL, 0) for n in range(1, 800, 3)]
    history += [(n, 1_000, 3, 0, REPLACE, 0) for n in range(2, 800, 7)]
    for start in range(0, len(history), 50):
        part = history[start : start + 50]
        wanted = [event for op in part for event in reference.do(op)]
        assert plain(book.apply(ops(part))) == wanted
    assert [book.resting(side) for side in (1, -1)] == [reference.resting(side) for side in (1, -1)]


def test_what_is_gone_cannot_be_changed() -> None:
    events = plain(Book().apply(ops([(1, 5, 5, 0, IOC, 1), (1, 0, 0, 0, CANCEL, 0), (1, 6, 1, 0, REPLACE, 0)])))
    assert [(event[4], event[5]) for event in events[1:]] == [(REJECTED, UNKNOWN_ID)] * 2
    assert RESTED not in [event[4] for event in events]
