"""The clock's part of an engine's health."""

from collections.abc import Callable
from pathlib import Path

from engines.wire import clock
from engines.wire.clock import Reading
from engines.wire.health import Check

REMEMBER_S = 60.0  # a step is told for so long


class ClockCheck:
    """Compares the wall clock with CLOCK_MONOTONIC at each look, and at the first one with the fleet's files."""

    def __init__(self, state: Path, read: Callable[[], Reading] = clock.read) -> None:
        self._read = read
        self._last = read()
        self._ahead = clock.from_the_future(self._last.wall, clock.stamps(state))
        self._step = 0.0
        self._stepped_at: float | None = None

    def check(self) -> Check:
        """Look; a clock that cannot be believed is a warning, it stops nothing."""
        now = self._read()
        step = clock.jump(self._last, now)
        self._last = now
        if step is not None:
            self._step, self._stepped_at = step, now.mono
        if self._stepped_at is not None and now.mono - self._stepped_at < REMEMBER_S:
            ago = now.mono - self._stepped_at
            return Check("clock", "warn", f"the wall clock was stepped by {self._step:+.2f} s {ago:.0f} s ago")
        if self._ahead is not None:
            return Check("clock", "warn", f"the fleet's files come from {self._ahead:.0f} s in the future")
        return Check("clock", "ok", "steady")
