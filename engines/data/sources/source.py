"""What every external source offers: `fetch` a table, `probe` for a state that can be checked."""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import NotConfigured, SourceError, Unreachable
from engines.wire.errors import DataError

Column = npt.NDArray[Any]  # float64, int64, bool, datetime64[D|us] or str (dtype object, None where missing)


class Status(enum.StrEnum):
    """What a probe found."""

    LIVE = "LIVE"  # the real source answered with rows
    SIMULATED = "SIMULATED"  # a protocol simulator answered with rows
    NOT_CONFIGURED = "NOT_CONFIGURED"  # a key or an identity is missing; nothing was sent
    UNREACHABLE = "UNREACHABLE"  # nobody answered in time
    ERROR = "ERROR"  # it answered, but not with rows


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch.  Dates are inclusive; None leaves that end open."""

    kind: str  # "bars", "series", "filings", "facts", "search", "depth", "trades", ...: each source names its own
    key: str  # symbol, series id, ticker or CIK, search words
    start: dt.date | None = None
    end: dt.date | None = None
    limit: int = 1000  # rows at most
    extras: dict[str, str] = msgspec.field(default_factory=dict)


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a table comes from.  `url` holds no secret; `sha256` is of the raw bodies, one after the other."""

    source: str
    simulated: bool
    url: str
    fetched_at: dt.datetime  # UTC
    sha256: str
    rows: int
    newest: str | None  # the newest observation, ISO 8601; None where rows have no date


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, in a fixed order, with their units ("" where a column has none)."""

    columns: Mapping[str, Column]
    provenance: Provenance
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Columns must be as long as the provenance says.

        Raises:
            DataError: one is not.
        """
        lengths = {name: len(column) for name, column in self.columns.items()}
        if set(lengths.values()) - {self.provenance.rows}:
            raise DataError(f"Columns of a table of {self.provenance.rows} rows differ in length: {lengths}.")

    def __len__(self) -> int:
        return self.provenance.rows


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe saw.  None: it did not come to that."""

    checked_at: dt.datetime  # UTC
    round_trip_ms: float | None = None
    rows: int | None = None
    newest: str | None = None
    detail: str = ""


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """One source's state with its evidence.  Build it with `answered` or `failed`."""

    source: str
    title: str
    status: Status
    evidence: Evidence


class Source(Protocol):
    """A connector.  Not to be shared between threads; calls block, bounded by the connector's time-outs."""

    name: str  # as in `registry.NAMES`
    title: str
    kinds: tuple[str, ...]  # of requests that `fetch` knows

    def fetch(self, request: Request) -> Table:
        """The rows of a request.

        Raises:
            SourceError: see `errors`.
        """
        ...

    def probe(self) -> SourceState:
        """One small, uncached request; every SourceError becomes a state."""
        ...

    def close(self) -> None:
        """End connections; may be called twice."""
        ...


def utc_now() -> dt.datetime:
    """The time of day, UTC."""
    return dt.datetime.now(dt.UTC)


def newest_of(dates: Column) -> str | None:
    """The newest of datetime64 values as ISO 8601; None where there is none."""
    valid = dates[~np.isnat(dates)]
    return str(valid.max()) if valid.size else None


def answered(title: str, endpoint: Endpoint, table: Table, round_trip_ms: float, detail: str = "") -> SourceState:
    """The state of a source that answered: LIVE or SIMULATED, as its endpoint is."""
    return SourceState(
        source=endpoint.source,
        title=title,
        status=Status.SIMULATED if endpoint.simulated else Status.LIVE,
        evidence=Evidence(
            checked_at=utc_now(),
            round_trip_ms=round_trip_ms,
            rows=len(table),
            newest=table.provenance.newest,
            detail=detail,
        ),
    )


def failed(title: str, error: SourceError, round_trip_ms: float | None = None) -> SourceState:
    """The state of a source that did not deliver."""
    status = Status.ERROR
    if isinstance(error, NotConfigured):
        status = Status.NOT_CONFIGURED
    elif isinstance(error, Unreachable):
        status = Status.UNREACHABLE
    return SourceState(
        source=error.source,
        title=title,
        status=status,
        evidence=Evidence(checked_at=utc_now(), round_trip_ms=round_trip_ms, detail=str(error)),
    )
