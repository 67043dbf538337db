"""Traces: to which replay a message belongs.

Topics are not ordered among each other, so the first message of a new replay may come on any of them, and a late one of
the last replay after it.  Both show in the trace: `r<n>/<before|window|after>`, n counting replays.
"""

import re

_REPLAY = re.compile(r"r(\d+)(?:/|$)")


def replay_of(trace: str) -> int | None:
    """The number of the replay that a trace names; None for a trace of anything else."""
    found = _REPLAY.match(trace)
    return int(found.group(1)) if found else None
