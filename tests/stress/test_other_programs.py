"""What others took of the machine during a load: recorded, unless processes of the fleet would pass for theirs."""

import asyncio
from collections.abc import Mapping

import pytest

from engines.wire.errors import NotRunning
from reports import records
from stress import foreign
from stress.run import Run


class Going:
    """What a run needs here of its fleet, which is itself, and of its history."""

    def __init__(self, now: Mapping[str, int] | None) -> None:
        self.fleet = self
        self.kept: list[records.AnyRecord] = []
        self._now = now

    def refresh(self) -> None:
        if self._now is None:
            raise NotRunning("gone", "", "")

    def pids(self) -> Mapping[str, int]:
        return self._now or {}

    def add(self, record: records.AnyRecord) -> None:
        self.kept.append(record)


@pytest.mark.parametrize(("now", "told"), [({"risk": 7}, 1), ({"risk": 8}, 0), (None, 0)])
def test_it_is_recorded_where_the_fleet_is_still_the_same(now: Mapping[str, int] | None, told: int) -> None:
    going, share = Going(now), foreign.Share([])
    asyncio.run(Run._others(going, "window", share, {"risk": 7}))  # type: ignore[arg-type] # what it needs of a run
    assert len(going.kept) == told
    for record in going.kept:
        assert isinstance(record, records.OtherPrograms)
        assert record.phase == "window" and 0 < record.seconds <= share.seconds and record.cores >= 0
