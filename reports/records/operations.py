"""Records of requests that act on the platform, and of what they caused on its buses.  Times are CLOCK_MONOTONIC."""

from reports.records.base import Count, Record


class RequestHop(Record, frozen=True, kw_only=True):
    """What one engine sent on one topic because of a request: ``count`` messages, the first and the last sent at
    ``first_ns`` and ``last_ns``.  Only topics that are never trimmed are looked at, so that none is missed.
    """

    phase: str
    request: str
    producer: str
    topic: str
    count: Count
    first_ns: Count
    last_ns: Count


class Replay(Record, frozen=True, kw_only=True):
    """Replay ``number`` and the request that asked for it, which was sent at ``asked_ns`` and arrived at
    ``arrived_ns``.

    ``opened_ns``: when the opening of its session was sent; ``first_tick_due_ns`` and ``first_tick_ns``: when the first
    trades of its measured window were due and sent.  None: no message told.
    """

    phase: str
    number: Count
    request: str
    asked_ns: Count
    arrived_ns: Count | None = None
    opened_ns: Count | None = None
    first_tick_due_ns: Count | None = None
    first_tick_ns: Count | None = None
