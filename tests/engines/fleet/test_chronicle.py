"""What the supervisor remembers: boots, their budgets, and a wall clock that was stepped."""

from pathlib import Path
from typing import Any

import pytest

from engines.fleet.chronicle import Chronicle, is_crash
from engines.fleet.journal import Journal, read
from engines.fleet.policy import Record
from engines.wire import clock
from engines.wire.clock import Reading
from engines.wire.state import EngineState as S


class Unit:
    """A bus, as far as a chronicle looks at it."""

    def __init__(self, **facts: Any) -> None:
        self.record = Record(name="bus-main", after=("disk",), **facts)
        self.started_at = 101.0


class Ground:
    """As far as a chronicle looks at it."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path)


class Reporter:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.boot: dict[str, Any] = {}


def made(tmp_path: Path) -> tuple[Chronicle, Reporter]:
    reporter = Reporter()
    return Chronicle(Ground(tmp_path / "j"), reporter, 100.0), reporter  # type: ignore[arg-type]


def test_a_boot_is_kept_in_seconds_since_birth_and_journalled_once(tmp_path: Path) -> None:
    told, reporter = made(tmp_path)
    told.forked(100.7)
    assert told.ready(Unit(released_at=102.0), 103.5) == ""  # type: ignore[arg-type]
    step = reporter.boot["bus-main"]
    assert (step.launched_s, step.released_s, step.ready_s, step.own_s, step.after) == (1.0, 2.0, 3.5, 1.5, ("disk",))
    told.ready(Unit(released_at=150.0), 151.0)  # type: ignore[arg-type]
    told.forked(150.0)
    assert reporter.boot["bus-main"] is step and reporter.boot["zygote"].ready_s == 0.7, "a restart is not the boot"
    told.settled()
    told.settled()
    (entry,) = read(tmp_path / "j")
    assert entry.what == "booted" and [s.name for s in entry.steps] == ["zygote", "bus-main"]


def test_a_stepped_clock_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [Reading(1e9, 50.0)]
    monkeypatch.setattr(clock, "read", lambda: now[0])
    told, _ = made(tmp_path)
    now[0] = Reading(1e9 + 2.0, 52.0)
    assert told.clock_jumped() == ""
    now[0] = Reading(1e9 - 3_596.0, 54.0)
    assert told.clock_jumped() == "the wall clock was stepped by -3600.00 s"
    now[0] = Reading(1e9 - 3_594.0, 56.0)
    assert told.clock_jumped() == ""


@pytest.mark.parametrize(
    ("state", "announced", "crash"),
    [(S.CRASHED, 0.0, True), (S.FAILED, 0.0, True), (S.STOPPED, 0.0, False), (S.CRASHED, 60.0, False)],
)
def test_an_end_that_was_wanted_or_announced_is_no_crash(state: S, announced: float, crash: bool) -> None:
    before = Record(name="risk", announced_until=announced)
    assert is_crash(before, Record(name="risk", state=state), 50.0) is crash


def test_what_the_zygote_forked_waited_for_it(tmp_path: Path) -> None:
    told, reporter = made(tmp_path)
    told.ready(Unit(released_at=102.0, gated=True), 103.5)  # type: ignore[arg-type]
    assert reporter.boot["bus-main"].after == ("disk", "zygote")
