"""Traces: to which replay or request a message belongs.

Topics are not ordered among each other, so the first message of a new replay may come on any of them, and a late one of
the last replay after it.  Both show in the trace: `r<n>/<before|window|after>`, n counting replays.  What an engine
sends because a request over HTTP told it to has `request/<id>`, by the id of that request.
"""

import re
from collections.abc import Collection

_REPLAY = re.compile(r"r(\d+)(?:/|$)")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST = "request/"


def replay_of(trace: str) -> int | None:
    """The number of the replay that a trace names; None for a trace of anything else."""
    found = _REPLAY.match(trace)
    return int(found.group(1)) if found else None


def is_request_id(text: str) -> bool:
    """Whether a text can be the id of a request: up to 64 of letters, digits, full stop, underscore and hyphen."""
    return _ID.fullmatch(text) is not None


def of_request(request: str) -> str:
    """The trace of what a request has sent."""
    return f"{_REQUEST}{request}"


def request_of(trace: str) -> str | None:
    """The id of the request that a trace names; None for a trace of anything else."""
    return trace.removeprefix(_REQUEST) if trace.startswith(_REQUEST) else None


def least_missed(traces: Collection[str]) -> str:
    """Of traces in the order in which they were first seen, the one to forget: the oldest request's, else the oldest.

    So that no number of requests pushes a replay out of what is kept of a bounded number of traces.
    """
    return next((trace for trace in traces if request_of(trace) is not None), next(iter(traces)))
