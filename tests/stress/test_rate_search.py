"""The search for a rate: it brackets, bisects, and takes nothing for missed that it saw only once."""

import subprocess
import sys
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.foreign import Share
from stress.load.result import Percentiles, PhaseResult, ProcessResult, TargetCounts, TargetResult
from stress.roles.search import judged
from stress.search import Tried, following
from stress.specs.search import Search


def searched(limit: float, first: float, resolution: float, bad_luck: set[int] = frozenset()) -> list[Tried]:
    """What is tried where every rate up to `limit` holds, but for the steps of bad luck."""
    tried: list[Tried] = []
    while len(tried) < 200 and (rate := following(tried, first, resolution)) is not None:
        tried.append(Tried(rate, rate <= limit and len(tried) not in bad_luck))
    return tried


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.sampled_from([0.01, 0.1, 0.5]))
def test_the_limit_is_found_to_within_the_resolution(limit: float, first: float, resolution: float) -> None:
    tried = searched(limit, first, resolution)
    best = max(each.rate for each in tried if each.ok)
    assert best <= limit <= best * (1 + resolution) * (1 + 1e-9)
    assert len(tried) < 100


@given(st.floats(100, 1e5), st.sets(st.integers(0, 60).map(lambda n: 3 * n), max_size=20))
def test_one_disturbed_step_changes_nothing(limit: float, bad_luck: set[int]) -> None:
    """Never two in a row."""
    tried = searched(limit, 1000.0, 0.1, bad_luck)
    best = max(each.rate for each in tried if each.ok)
    assert best <= limit <= best * 1.1 * (1 + 1e-9)


def test_a_rate_is_tried_twice_before_it_is_missed() -> None:
    assert following([], 1000.0, 0.1) == 1000.0
    once = [Tried(1000.0, ok=False)]
    assert following(once, 1000.0, 0.1) == 1000.0
    assert following(once * 2, 1000.0, 0.1) == 500.0
    assert following([*once, Tried(1000.0, ok=True)], 1000.0, 0.1) == 2000.0


def result(p99_us: int, lag_us: int, failed: int = 0, unsent: int = 0, scheduled: int = 100) -> PhaseResult:
    counts = TargetCounts(scheduled, scheduled, scheduled - failed - unsent, {"reset": failed}, unsent, 8, 0)
    latency, lag = (Percentiles(scheduled, us, us, us, us, us) for us in (p99_us, lag_us))
    targets = {"risk": TargetResult(counts, latency)}
    processes = (
        ProcessResult(0, Percentiles(scheduled, 0, 0, 0, 0, 0), 0.1, 0),
        ProcessResult(1, lag, 0.1, 0),  # the later one is judged
    )
    return PhaseResult("search-00", 0, 2.0, False, targets, latency, lag, 0.1, 0, 0, 0, 8, processes=processes)


def test_a_step_is_void_when_the_generator_was_late_and_holds_only_in_time_and_without_error() -> None:
    spec = Search(mix="health", limit_ms=10)

    def verdict(made: PhaseResult) -> tuple[bool, bool]:
        step = judged(spec, 0, 50.0, made)
        return step.ok, step.void

    assert verdict(result(9_990, 4_990)) == (True, False)
    assert verdict(result(10_000, 0)) == (False, False)  # below, not at
    assert verdict(result(9_000, 5_010)) == (False, True)
    assert verdict(result(60_000, 5_900)) == (False, False)  # a tenth of the p99 is more than five milliseconds
    assert verdict(result(60_000, 6_100)) == (False, True)
    assert verdict(result(1_000, 0, failed=1)) == (False, False)
    assert verdict(result(1_000, 0, unsent=1)) == (False, False)
    assert verdict(result(0, 0, scheduled=0)) == (False, True)
    step = judged(spec, 3, 50.0, result(1_000, 100, failed=2, unsent=1))
    assert (step.scheduled, step.done, step.errors, step.hlogs) == (100, 97, 3, ["latency/search-00.risk.hlog"])


def test_a_step_is_void_when_others_took_the_cores() -> None:
    spec = Search(mix="health", limit_ms=10)
    assert not judged(spec, 0, 50.0, result(9_990, 100), 0.25).void
    busy = judged(spec, 0, 50.0, result(9_990, 100), 0.26)
    assert (busy.void, busy.ok, busy.foreign_cores) == (True, False, 0.26)


def test_a_void_step_is_tried_again_counts_for_nothing_and_three_in_a_row_end_the_search() -> None:
    void = Tried(200.0, ok=False, void=True)
    tried = [Tried(100.0, ok=True), void]
    assert following(tried, 100.0, 0.1) == 200.0
    assert following([*tried, void], 100.0, 0.1) == 200.0
    assert following([*tried, void, void], 100.0, 0.1) is None
    assert following([*tried, Tried(200.0, ok=True)], 100.0, 0.1) == 400.0


def test_the_share_of_others_is_what_is_neither_ours_nor_the_fleets() -> None:
    """A burner of one core for a while: foreign, then of the fleet."""
    code = "import time; end = time.monotonic() + 1.2\nwhile time.monotonic() < end: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as burner:
        theirs, ours = Share([]), Share([burner.pid])
        began = psutil.Process(burner.pid).cpu_times().user
        time.sleep(0.6)
        spent = (psutil.Process(burner.pid).cpu_times().user - began) / 0.6
        foreign, without = theirs.cores(), ours.cores()
        burner.kill()
    assert foreign - without == pytest.approx(spent, abs=0.15)
