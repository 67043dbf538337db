"""When an engine keeps its service level again."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from engines.wire.manifest import ServiceLevel
from stress.faults.level import Duty, Look, Regain

MS = 1_000_000
HOLD_S = 0.3
DUTY = Duty(ServiceLevel(fresh_ms=500), consumes=("trades",))


def look(at_ms: int, end: int, taken: int, *, answers: bool = True) -> Look:
    """A look at one topic: its last entry is number `end`, the engine has taken up to number `taken`."""
    cursors = {"risk": {"trades": (taken, 0)}}
    who = frozenset({"risk"}) if answers else frozenset()
    return Look(at_ms * MS, at_ms * MS, {"trades": (end, 0)}, cursors, who)


def back(looks: Sequence[Look], duty: Duty = DUTY) -> int | None:
    """When it was back, ms."""
    regain = Regain({"risk": duty}, HOLD_S)
    for each in looks:
        regain.look(each)
    at = regain.at.get("risk")
    assert (at is None) == ("risk" in regain.missing)
    return None if at is None else at // MS


def test_one_that_lags_by_less_than_its_level_is_back_at_once() -> None:
    """One entry each 100 ms; it is always four entries behind, that is 400 ms."""
    assert back([look(100 * n, 10 + n, 6 + n) for n in range(20)]) == 400  # by then it has what was there at the first


def test_one_that_lags_by_more_is_not_back() -> None:
    assert back([look(100 * n, 10 + n, 4 + n) for n in range(60)]) is None


def test_catching_up_ends_when_what_waits_is_young_enough() -> None:
    """It takes three entries for each one that comes, from 40 behind: five behind it is after 17.5 steps."""
    assert back([look(100 * n, 100 + n, min(100 + n, 60 + 3 * n)) for n in range(60)]) == 1800


def test_no_answer_and_no_sight_start_the_time_anew() -> None:
    looks = [look(100 * n, n, n, answers=n != 2) for n in range(20)]
    assert back(looks) == 300
    regain = Regain({"risk": DUTY}, HOLD_S)
    for each in looks[3:5]:
        regain.look(each)
    regain.blind()
    for each in looks[5:8]:
        regain.look(each)
    assert regain.missing == {"risk"}
    regain.look(looks[8])
    assert regain.at == {"risk": 500 * MS}


def test_who_feeds_others_is_back_once_its_topic_goes_on() -> None:
    duty = Duty(ServiceLevel(), feeds=("trades",))
    assert back([look(100 * n, max(7, n), 0) for n in range(20)], duty) == 800
    assert back([look(100 * n, 7, 0) for n in range(20)], duty) is None


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12), st.booleans()), min_size=1, max_size=60))
def test_back_is_the_first_look_from_which_the_level_is_kept_for_the_hold(steps: list[tuple[int, int, bool]]) -> None:
    """Against a search over all intervals of looks: none of the looks within one may break the level."""
    looks, end, taken = [], 0, 0
    for n, (came, took, answers) in enumerate(steps):
        end += came
        taken = min(end, taken + took)
        looks.append(look(50 * n, end, taken, answers=answers))

    def kept(n: int) -> bool:
        then = max((m for m in range(len(looks)) if looks[m].asked_ns <= looks[n].seen_ns - 500 * MS), default=0)
        return bool(looks[n].answering) and looks[n].cursors["risk"]["trades"] >= looks[then].ends["trades"]

    held = round(HOLD_S * 1000) // 50
    wanted = next((n for n in range(len(looks) - held) if all(map(kept, range(n, n + held + 1)))), None)
    assert back(looks) == (None if wanted is None else 50 * wanted)
