"""Every arrival history is counted exactly: against a plain recount."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stress.busbench.sequences import Account, Sequence, total


def recount(arrivals: list[int], published: int) -> Account:
    """The same by definition."""
    seen: set[int] = set()
    duplicates = reordered = 0
    for number in arrivals:
        duplicates += number in seen
        reordered += number not in seen and number < max(seen, default=0)
        seen.add(number)
    return Account(
        published=published,
        delivered=sum(number <= published for number in seen),
        lost=len(set(range(1, published + 1)) - seen),
        duplicates=duplicates,
        reordered=reordered,
        invented=sum(number > published for number in seen),
    )


def of(arrivals: list[int], published: int) -> Account:
    sequence = Sequence()
    for number in arrivals:
        sequence.see(number)
    return sequence.against(published)


@given(st.lists(st.integers(1, 40), max_size=80), st.integers(0, 40))
def test_any_history(arrivals: list[int], published: int) -> None:
    account = of(arrivals, published)
    assert account == recount(arrivals, published)
    assert account.published == account.delivered + account.lost
    assert len(arrivals) == account.delivered + account.invented + account.duplicates


@given(st.lists(st.lists(st.integers(1, 30), max_size=8), max_size=12), st.integers(0, 30))
def test_batches_count_like_single_arrivals(batches: list[list[int]], published: int) -> None:
    together = Sequence()
    for batch in batches:
        together.see_all(np.array(batch, np.int64))
    assert together.against(published) == of([number for batch in batches for number in batch], published)


@given(st.integers(1, 200), st.data())
def test_each_fault_is_caught_as_what_it_is(published: int, data: st.DataObject) -> None:
    numbers = list(range(1, published + 1))
    assert of(numbers, published).whole
    place = data.draw(st.integers(0, published - 1))
    dropped = of(numbers[:place] + numbers[place + 1 :], published)
    assert (dropped.lost, dropped.duplicates, dropped.reordered) == (1, 0, 0)
    twice = of(numbers[: place + 1] + numbers[place:], published)
    assert (twice.lost, twice.duplicates, twice.reordered) == (0, 1, 0)
    if place:
        late = of([*numbers[: place - 1], numbers[place], numbers[place - 1], *numbers[place + 1 :]], published)
        assert (late.lost, late.duplicates, late.reordered) == (0, 0, 1)
    assert of([*numbers, published + 1], published).invented == 1
    for account in (dropped, twice, of([*numbers, published + 1], published)):
        assert not account.whole


def test_a_sequence_travels_between_processes() -> None:
    sequence = Sequence()
    for number in (1, 2, 5, 4):
        sequence.see(number)
    again = msgspec.json.decode(msgspec.json.encode(sequence), type=Sequence)
    assert again.against(5) == sequence.against(5)
    assert Sequence().gaps == set()
    assert total([again.against(5), of([1], 1)]).published == 6
