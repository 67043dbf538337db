"""The soak, short: a part of the fleet, a few kills, a tape running.  `python -m tests.soak` is the long one."""

from pathlib import Path

import pytest

from engines.fleet import process
from tests.soak.chaos import Plan, soak


@pytest.mark.slow
@pytest.mark.skipif(not process.LINUX, reason="reads /proc")
def test_a_few_kills_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    result = soak(Plan(kills=6, engines=("portfolio",), gap_s=0.4), tmp_path, lambda _: None)
    assert sum(result.kills.values()) == 6
    assert (result.engines, result.healthy) == (2, 2), "portfolio and marketdata"
    assert result.published > 0 and result.replays > 0, "messages were on their way"
    assert (result.lost, result.pending) == (0, 0)
    assert (result.orphans, result.zombies, result.left_after_down) == (0, 0, 0)
    assert result.restarts > 0 and result.ok
