"""Records of the bus benchmark: both buses on servers of their own, counted on both sides."""

from typing import Literal

from reports.records.base import Amount, Count, HlogUnit, Record


class BusMode(Record, frozen=True, kw_only=True):
    """One mode.  published = delivered + lost; ``ticks`` are counted where messages are batches of them.

    ``seconds``: from the first publisher's begin to the last commit of a consumer.  ``asked_per_s``: the even rate that
    was asked for, None for as fast as it goes.  ``hlog``: from the intended time where a rate was asked for, else from
    the publisher's stamp, to the consumer's commit; ``timed`` messages are in it.
    """

    phase: str
    mode: Literal["channels", "single", "ticks", "paced"]
    title: str
    seconds: Amount
    asked_per_s: Amount | None = None
    published: Count
    delivered: Count
    lost: int
    duplicates: Count
    reordered: Count
    invented: Count
    undecodable: Count
    changed: Count
    ticks_published: Count | None = None
    ticks_delivered: Count | None = None
    stalls: Count
    cpu_s: Amount
    hlog: str
    hlog_unit: HlogUnit = "us"
    timed: Count


class BusPeer(Record, frozen=True, kw_only=True):
    """What another tool published to one server of the same kind, read by nobody; ``why`` where it could not."""

    phase: str
    tool: str
    version: str = ""
    per_s: Amount | None = None
    p99_ms: Amount | None = None
    requests: Count = 0
    pipeline: Count = 0
    why: str = ""
