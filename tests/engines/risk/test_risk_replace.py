"""A change of an open order passes the same check as a new one, and until the venue answers the larger counts."""

from desk_rig import Desk, envelope, order

from engines.risk.model import step
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    Fill,
    Header,
    Replace,
    Replaced,
    ReplaceRejected,
    ReplaceRequested,
)
from engines.wire.ticks import to_units


def desk() -> Desk:
    """A desk with one accepted order: buy 1,000 AAPL at 1,000."""
    made = Desk().begin()
    assert made.send(order(1, "AAPL", 1, 1_000, 1_000.0)) == [
        Accepted(order(1, "AAPL", 1, 1_000, 1_000.0), {"AAPL": 10_000_000})
    ]
    return made


def change(made: Desk, quantity: int, limit: float | None = 1_000.0) -> list[Body]:
    return made.send(Replace("o1", "test", quantity, None if limit is None else to_units(limit)))


def pending(made: Desk) -> int:
    return made.state.book.pending("AAPL", 1)


def test_a_change_that_passes_is_forwarded_and_counts_at_its_worst() -> None:
    made = desk()
    assert change(made, 3_000) == [ReplaceRequested("o1", 3_000, to_units(1_000.0))]
    assert pending(made) == 3_000
    made.send(Replaced("o1", "AAPL", 3_000, to_units(1_000.0), False))
    assert pending(made) == 3_000
    assert change(made, 500) == [ReplaceRequested("o1", 500, to_units(1_000.0))]
    assert pending(made) == 3_000  # it may still fill in full
    made.send(Replaced("o1", "AAPL", 500, to_units(1_000.0), True))
    assert pending(made) == 500


def test_a_change_beyond_a_limit_is_refused_and_the_order_stands() -> None:
    made = desk()
    refused = [
        change(made, quantity, limit)[0] for quantity, limit in ((50_001, 1_000.0), (1_000, 1_200.0), (0, 1_000.0))
    ]
    assert [body.code for body in refused if isinstance(body, ReplaceRejected)] == [
        "ORDER_QUANTITY", "PRICE_COLLAR", "INVALID_QUANTITY"
    ]  # fmt: skip
    assert pending(made) == 1_000
    assert change(made, 900) == [ReplaceRequested("o1", 900, to_units(1_000.0))]


def test_its_own_refusal_does_not_end_a_change_but_the_venues_does() -> None:
    made = desk()
    change(made, 3_000)
    (second,) = change(made, 4_000)
    assert isinstance(second, ReplaceRejected)
    assert second.code == "CHANGING"
    own = envelope(second)
    own = type(own)(
        own.topic,
        own.entry_id,
        Header("risk", *tuple(getattr(own.header, f) for f in own.header.__struct_fields__[1:])),
        second,
    )
    made.state, _ = step(made.state, own)
    assert pending(made) == 3_000
    made.send(ReplaceRejected("o1", "AAPL", "OFF_TICK", ""))
    assert pending(made) == 1_000


def test_fills_before_the_answer_and_an_end_before_it() -> None:
    made = desk()
    change(made, 1_500)
    made.send(Fill("o1/1", "o1", "test", "AAPL", 1, 1_200, to_units(1_000.0), 0, 1))
    assert pending(made) == 300
    made.send(Replaced("o1", "AAPL", 1_500, to_units(1_000.0), False))
    assert pending(made) == 300
    change(made, 2_000)
    made.send(Cancelled("o1", "AAPL", 300, "requested"))
    made.send(ReplaceRejected("o1", "", "TOO_LATE", ""))
    assert (pending(made), made.state.book.open) == (0, {})
    assert isinstance(change(made, 1)[0], ReplaceRejected)
