"""The wall clock as one engine's process has it: the host's, and what a drill has stepped it by.

All that an engine stamps with wall time asks here: the market times of live feeds, the lines of its log, the clock's
part of its health.  Everything it waits for or measures is CLOCK_MONOTONIC's and does not notice.
"""

import logging
import time

from engines.wire import clock
from engines.wire.clock import Reading

_NS = 1_000_000_000


class WallClock:
    """One process has one."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    @property
    def ahead_s(self) -> float:
        """Seconds between it and the host's."""
        return self._ahead_ns / _NS

    def step(self, ahead_s: float) -> None:
        """Set it to the host's and `ahead_s` more; 0 is the host's."""
        self._ahead_ns = round(ahead_s * _NS)

    def ns(self) -> int:
        """Unix time, nanoseconds."""
        return time.time_ns() + self._ahead_ns

    def read(self) -> Reading:
        """It and CLOCK_MONOTONIC, seconds."""
        now = clock.read()
        return now._replace(wall=now.wall + self.ahead_s)

    def date(self, record: logging.LogRecord) -> bool:
        """A logging filter of one handler: every record passes, with this clock's time."""
        if self._ahead_ns:
            record.created += self.ahead_s
            record.msecs = record.created % 1 * 1000
        return True
