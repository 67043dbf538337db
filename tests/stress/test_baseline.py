"""The ledger of an attached fleet: a later account less an earlier one is an account again."""

from hypothesis import given
from hypothesis import strategies as st

from reports import records
from stress.baseline import since

N = st.integers(0, 10_000)


def row(processed: int, dead: int, pending: int, lost: int, again: int, reordered: int) -> records.Ledger:
    return records.Ledger(
        at="2026-01-01T00:00:00.000000+00:00", mono_ns=1, bus="market", topic="trades", consumer="risk", seconds=1.0,
        published=processed + dead + pending + lost, processed_unique=processed, dead_lettered=dead, pending=pending,
        lost=lost, deliveries=processed + dead + again, redeliveries=again, reordered=reordered,
    )  # fmt: skip


@given(base=st.tuples(N, N, N, N, N, N), more=st.tuples(N, N, N, N, N, N), pending=N)
def test_both_equations_hold_for_the_difference(
    base: tuple[int, int, int, int, int, int], more: tuple[int, int, int, int, int, int], pending: int
) -> None:
    early = row(*base)
    later = [a + b for a, b in zip(base, more, strict=True)]
    found = since(row(later[0], later[1], pending, later[3], later[4], later[5]), early)
    assert found.published == found.processed_unique + found.dead_lettered + found.pending + found.lost
    assert found.deliveries == found.processed_unique + found.dead_lettered + found.redeliveries
    assert (found.processed_unique, found.dead_lettered, found.lost) == (more[0], more[1], more[3])
    assert found.pending == pending


def test_what_was_pending_at_the_beginning_is_of_the_mission() -> None:
    found = since(row(110, 0, 0, 0, 0, 0), row(100, 0, 10, 0, 0, 0))
    assert (found.published, found.processed_unique, found.lost) == (10, 10, 0)


def test_what_was_lost_before_is_not_the_missions_loss() -> None:
    found = since(row(200, 0, 0, 7, 0, 0), row(100, 0, 0, 5, 0, 0))
    assert (found.published, found.processed_unique, found.lost) == (102, 100, 2)
