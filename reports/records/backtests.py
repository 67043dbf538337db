"""Records of backtests."""

from typing import Literal

from reports.records.base import Amount, Count, Record


class Backtests(Record, frozen=True, kw_only=True):
    """The account of a phase of backtests; ``runs`` counts those within sweeps one by one."""

    phase: str
    concurrency: Count
    seconds: Amount
    executed: Count
    succeeded: Count
    rejected: Count
    failed: Count
    runs: Count


class BacktestResult(Record, frozen=True, kw_only=True):
    """One request for backtests: what should come of it, what came, and ``reason`` where it was refused or failed.

    ``independent``: what an own computation gives of ``values``; empty where it was not computed.
    """

    phase: str
    number: Count
    request: str
    wanted: Literal["succeeded", "rejected"]
    outcome: Literal["succeeded", "rejected", "failed"]
    reason: str = ""
    milliseconds: Amount
    runs: Count
    values: dict[str, float] = {}
    independent: dict[str, float] = {}
