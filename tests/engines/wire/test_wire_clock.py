"""The wall clock: steps, and files from its future; and how an engine tells them."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engines.kit.clockcheck import REMEMBER_S, ClockCheck
from engines.wire import clock
from engines.wire.clock import FUTURE_S, JUMP_S, Reading


@given(st.floats(0, 2e9), st.floats(0, 1e6), st.floats(0, 1e5), st.floats(-1e5, 1e5))
def test_a_step_is_found_and_a_slew_is_not(wall: float, mono: float, passed: float, step: float) -> None:
    found = clock.jump(Reading(wall, mono), Reading(wall + passed + step, mono + passed))
    if abs(abs(step) - JUMP_S) > 1e-3:
        assert (found is not None) == (abs(step) > JUMP_S)
    assert clock.jump(Reading(wall, mono), Reading(wall + 1.0005, mono + 1.0)) is None


def test_files_from_the_future(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    now = (tmp_path / "a").stat().st_mtime
    assert clock.from_the_future(now - FUTURE_S + 1, clock.stamps(tmp_path)) is None
    ahead = clock.from_the_future(now - 100, clock.stamps(tmp_path))
    assert ahead is not None and abs(ahead - 100) < 1.0
    assert clock.from_the_future(now, ()) is None and clock.stamps(tmp_path / "none") == []


class Clocks:
    """Both clocks, set by hand."""

    wall, mono = 1e9, 50.0

    def __call__(self) -> Reading:
        return Reading(self.wall, self.mono)

    def pass_(self, seconds: float, step: float = 0.0) -> None:
        self.wall, self.mono = self.wall + seconds + step, self.mono + seconds


def test_a_step_is_told_for_a_while_and_fails_nothing(tmp_path: Path) -> None:
    clocks = Clocks()
    check = ClockCheck(tmp_path, clocks)
    clocks.pass_(1.0)
    assert check.check().status == "ok"
    clocks.pass_(1.0, -3600.0)
    told = check.check()
    assert told.status == "warn" and "-3600.00 s" in told.detail
    clocks.pass_(REMEMBER_S - 2)
    assert check.check().status == "warn"
    clocks.pass_(3.0)
    assert check.check().status == "ok"


def test_a_clock_behind_its_own_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "fleet.jsonl").touch()
    os.utime(tmp_path / "fleet.jsonl", (2e9, 2e9))
    told = ClockCheck(tmp_path, Clocks()).check()
    assert told.status == "warn" and "in the future" in told.detail
