"""What feeds are asked for, and what they answer."""

from typing import Annotated, Literal

import msgspec

from engines.marketdata.request import ReplayRequest
from engines.wire.errors import UsageError

MOST = 16
SourceName = Literal["file", "tape", "ibkr", "ibkr-simulated"]
STORED = frozenset({"file", "tape"})
Phase = Literal["waiting", "live", "stale", "finished", "stopped", "failed"]


class FeedSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feed.

    `file`: the Parquet file at `path` (columns ts, price, size, and side or symbol where it has them); `tape`: the
    request's scenario; `ibkr`: TWS's tick-by-tick trades, with `depth` also its touch; `ibkr-simulated`: the same from
    a simulator.  `stale_s`: silence beyond what its schedule says that makes it stale.
    """

    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    source: SourceName
    path: str = ""
    depth: bool = False
    stale_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0


class FeedsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Feeds that run together.  `speed`: market seconds per wall second of stored ones."""

    feeds: Annotated[tuple[FeedSpec, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    speed: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 1.0
    tape: ReplayRequest = ReplayRequest()

    def check(self) -> None:
        """Raises UsageError where the feeds cannot run together."""
        symbols = [feed.symbol for feed in self.feeds]
        if len(set(symbols)) < len(symbols):
            raise UsageError("A symbol has one feed.", f"Asked for: {', '.join(symbols)}.")
        if len({feed.source in STORED for feed in self.feeds}) > 1:
            raise UsageError(
                "Stored and live feeds cannot run together.",
                "Consumers follow one market clock, and stored ticks have their own.",
                "Start one kind, then the other.",
            )
        for feed in self.feeds:
            if (feed.source == "file") != bool(feed.path):
                raise UsageError(f"The feed of {feed.symbol} comes from {feed.source} and has path={feed.path!r}.")


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One feed.  Rates are ticks a second; None where there is no figure yet."""

    symbol: str
    source: SourceName
    phase: Phase
    ticks: int
    total: int | None  # of a stored feed; None where nobody knows
    seq: int
    ts_ns: int
    missing: int
    reordered: int
    out_of_order: int
    age_s: float | None
    longest_s: float
    rate: float | None
    peak_rate: float | None
    sides_inferred: bool  # by the tick rule, where the source names no aggressor
    pauses: int  # how often a live source was told to wait, its queue being full
    resets: int  # of its depth (TWS's 317)
    breaks: int  # of its connection, which is made again each time
    error: str = ""


class FeedsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All feeds.  `behind_ms`: how late the oldest tick of the last round left; `stalls`: rounds later than allowed.

    `request`: the id of the request that asked for them.

    `restamped`: ticks whose market time was raised to that of a tick already published.
    """

    state: Literal["idle", "starting", "running", "closed", "failed"] = "idle"
    replay: int = 0
    speed: float = 1.0
    ticks: int = 0
    messages: int = 0
    behind_ms: float | None = None
    behind_max_ms: float | None = None
    backlog: int = 0  # ticks of the last round
    backlog_max: int = 0
    stalls: int = 0
    restamped: int = 0
    error: str = ""
    request: str = ""
    feeds: tuple[FeedStatus, ...] = ()
