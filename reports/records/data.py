"""Records of the external sources of data."""

from typing import Literal

from reports.records.base import Amount, Count, Record


class Source(Record, frozen=True, kw_only=True):
    """What an external source of data answered.  ``simulated``: a simulator of its protocol was asked in its place."""

    phase: str
    name: str
    title: str
    simulated: bool
    status: Literal["LIVE", "SIMULATED", "NOT_CONFIGURED", "UNREACHABLE", "ERROR"]
    round_trip_ms: Amount | None = None
    rows: Count | None = None
    newest: str | None = None
    detail: str = ""
