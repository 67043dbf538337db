"""Records of what engines say of themselves, beside what others know of the same."""

from reports.records.base import Amount, Count, EngineStatus, Record


class Testimony(Record, frozen=True, kw_only=True):
    """One engine's own account at the end of a run, and what its supervisor and the bus know.

    ``said_*`` is from its ``/health``, None when it gave none; ``said_lag`` are batches that it read and has not
    committed. ``pid`` and ``age_s`` (since its process was started) are the supervisor's. ``processed`` and
    ``dead_lettered`` are the sums of its committed ledger, ``unread`` the entries behind its cursors; all three had
    not changed for ``still_s`` when it was asked (zero: they were changing).
    """

    engine: str
    status: EngineStatus | None = None
    said_pid: int | None = None
    said_uptime_s: Amount | None = None
    said_processed: int | None = None
    said_dead_lettered: int | None = None
    said_lag: int | None = None
    pid: int | None = None
    age_s: Amount | None = None
    processed: Count
    dead_lettered: Count
    unread: Count
    still_s: Amount
