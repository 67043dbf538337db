"""Whether the wall clock can be believed: it must not jump, and nothing on disk may come from its future.

The platform times everything with CLOCK_MONOTONIC; the wall clock only stamps journals, logs and reports.  So a wrong
one is told, and stops nothing.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

JUMP_S = 0.25  # adjtimex(2) slews at most 0.5 ms a second: more than this between two looks was a step
FUTURE_S = 5.0  # file systems of other hosts stamp with their own clocks


class Reading(NamedTuple):
    """Both clocks at one moment, in seconds."""

    wall: float
    mono: float


def read() -> Reading:
    """Now."""
    return Reading(time.time(), time.monotonic())


def jump(before: Reading, now: Reading) -> float | None:
    """By how many seconds the wall clock was stepped between two readings; None when it was not.

    CLOCK_MONOTONIC does not count a suspended machine's sleep, so its end looks like a step forward.
    """
    step = (now.wall - before.wall) - (now.mono - before.mono)
    return step if abs(step) > JUMP_S else None


def from_the_future(now: float, stamps: Iterable[float]) -> float | None:
    """By how many seconds the newest of these Unix times lies ahead of the wall clock `now`; None when none does."""
    ahead = max(stamps, default=now) - now
    return ahead if ahead > FUTURE_S else None


def stamps(folder: Path) -> list[float]:
    """When the entries of a folder were last changed; none when there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
    except OSError:
        return []
