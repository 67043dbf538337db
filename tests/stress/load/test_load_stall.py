"""Coordinated omission, by arithmetic: a server that answers at once and stalls once for a second.

Conventions.  Corrected (wrk2, and this generator's `latency`): from the intended time.  Uncorrected (wrk2 -U, and this
generator's `service`): from the first byte sent.  With even arrivals at rate R and a stall S, the requests due within
the stall wait a time uniform over (0, S): R (S - x) of them wait longer than x.  Of C connections each carries one
request into the stall, so that C service times are longer than x, whatever R is.  HdrHistogram's own correction of a
closed loop, recordCorrectedValue with an expected interval of 1/R, adds to one sample S those at S - 1/R, S - 2/R ...:
R (S - x) above x as well.

Tolerance: the backlog that is left at the stall's end is served after it, which makes waits longer, never shorter; an
eighth of the stall's arrivals is allowed for it, and the stall's length is what the server's own clock says it was.
"""

from pathlib import Path

import pytest
from faulty_server import FaultyServer
from hdrh.histogram import HdrHistogram
from load_rig import RunPlan, runs
from test_load_generators import beyond, logged

from stress.load.fold import empty_histogram
from stress.load.plan import ClosedPhase, LoadPlan, OpenPhase, Request, Target
from stress.load.shapes import constant

RATE, SECONDS, STALL_S, CONNECTIONS = 200, 2.5, 1.0, 2


def stalling(server: FaultyServer) -> Target:
    server.stall_at, server.stall_s = 60, STALL_S
    return Target("a", server.port, (Request("/ok"),), CONNECTIONS)


def predicted(server: FaultyServer, over_s: float) -> float:
    return RATE * (float(server.stalled_s) - over_s)


def test_corrected_and_uncorrected_differ_by_what_arithmetic_predicts(
    run_plan: RunPlan, server: FaultyServer, tmp_path: Path
) -> None:
    phase = OpenPhase("p", constant(RATE, SECONDS), 0.1, "even")
    result, _ = run_plan(LoadPlan((stalling(server),), (phase,)))
    found = result.phases[0]
    assert found.targets["a"].counts.done == found.targets["a"].counts.sent == RATE * SECONDS
    corrected, uncorrected = logged(tmp_path / "p.a.hlog"), logged(tmp_path / "p.a.service-time.hlog")
    spare = RATE * STALL_S / 8
    for over_ms in (250, 500, 750, 900):
        wanted = predicted(server, over_ms / 1000)
        assert wanted - 3 <= beyond(corrected, over_ms) <= wanted + spare
        assert beyond(uncorrected, over_ms) == CONNECTIONS
    assert found.latency is not None and found.service is not None
    rank = (server.stalled_s - 0.01 * SECONDS) * 1e6  # 1 % of the arrivals are above the p99: 0.01 SECONDS of stall
    assert 0.98 * rank <= found.latency.p99_us <= 1.125 * rank
    assert found.service.p99_us < 0.25 * rank  # two of five hundred lie above it, not in it
    assert found.service.p999_us >= 0.98 * rank
    assert found.service.count == found.latency.count == RATE * SECONDS


def test_hdrhistograms_correction_of_a_closed_loop_agrees_with_the_open_one(
    server: FaultyServer, tmp_path: Path
) -> None:
    closed = ClosedPhase("c", 1, SECONDS, think_s=1 / RATE)
    runs("", tmp_path)(LoadPlan((stalling(server),), (closed,)))
    uncorrected, corrected = logged(tmp_path / "c.a.service-time.hlog"), empty_histogram()
    record_corrected(uncorrected, corrected, round(1e6 / RATE))
    spare = RATE * STALL_S / 8
    for over_ms in (250, 500, 750, 900):
        assert beyond(uncorrected, over_ms) == 1
        assert beyond(corrected, over_ms) == pytest.approx(predicted(server, over_ms / 1000), abs=spare)


def record_corrected(source: HdrHistogram, target: HdrHistogram, interval_us: int) -> None:
    for item in source.get_recorded_iterator():
        target.record_corrected_value(item.value_iterated_to, interval_us, item.count_at_value_iterated_to)
