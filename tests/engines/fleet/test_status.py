"""The verdict on a fleet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.fleet.status import EngineHealth, summarise, verdict

STATUSES = ("starting", "healthy", "degraded", "halted", "down")


def engine(status: Any, critical: bool = False) -> EngineHealth:
    return EngineHealth(
        name="e", title="E", port=1, status=status, response_ms=None, uptime_s=None, pid=None, restarts=0,
        critical=critical,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("engines", "said"),
    [
        ([engine("healthy", True), engine("healthy")], "healthy"),
        ([engine("healthy", True), engine("down")], "degraded"),
        ([engine("down", True), engine("healthy")], "down"),
        ([engine("halted", True), engine("healthy")], "degraded"),
        ([engine("starting", True)], "degraded"),
        ([], "down"),
    ],
)
def test_criticality_makes_the_difference(engines: list[EngineHealth], said: str) -> None:
    assert verdict(engines) == said
    assert summarise(engines, "now").summary.status == said


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.booleans()), min_size=1))
def test_healthy_means_all_and_a_worse_engine_never_helps(facts: list[tuple[str, bool]]) -> None:
    rank = ("healthy", "degraded", "down")
    engines = [engine(status, critical) for status, critical in facts]
    said = verdict(engines)
    assert (said == "healthy") == all(e.status == "healthy" for e in engines)
    worse = verdict([*engines[:-1], engine("down", engines[-1].critical)])
    assert rank.index(worse) >= rank.index(said)
