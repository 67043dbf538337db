"""Importing a user's file: checked row by row, then stored as Parquet with its metadata, or refused whole."""

import datetime as dt
import hashlib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.data import stored
from engines.data.readers import RawTable, read
from engines.data.rows import NEEDED, Checked, Finding, check, moment_format
from engines.wire.bundle_files import Adjustment, Kind, SeriesInfo
from engines.wire.errors import DataError, UsageError

DAY_FORMATS = (
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y%m%d",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y%m%d %H:%M",
)
TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y%m%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M",
)
_SHOWN = 20  # bad rows in an error's text; a dry run reports them all


@dataclass(frozen=True)
class Options:
    """What the user says about the file.  Empty: found out from it, or not stated."""

    symbol: str
    kind: Kind | None = None
    column: str = ""
    date_format: str = ""
    zone: str = ""  # of times within the day; "": what the layout says, else UTC
    adjusted: Adjustment = Adjustment.NOT_STATED
    title: str = ""
    units: str = "not stated"
    licence: str = "not stated"
    replace: bool = False
    frequency: str = ""  # daily, weekly, monthly, ...
    rights: str = "The user's own file; what may be done with it is the user's to know."
    origin: Mapping[str, str] | None = None  # package, version, path of what is no file of the user's


@dataclass(frozen=True)
class Plan:
    """What an import would do: its rows, every bad one, and what is legal but unusual."""

    path: Path
    options: Options
    kind: Kind
    date_format: str
    zone: str
    checked: Checked
    sha256: str

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Every bad row, in the file's order."""
        return tuple(sorted(self.checked.problems))

    @property
    def flags(self) -> tuple[Finding, ...]:
        """Rows that are legal and unusual."""
        return tuple(sorted(self.checked.flags))

    @property
    def rows(self) -> int:
        """Rows of the file, bad ones included."""
        return self.checked.rows


class BadRows(DataError):
    """The file has rows that cannot be taken, so nothing of it was."""

    def __init__(self, path: Path, problems: tuple[Finding, ...]) -> None:
        shown = "; ".join(str(one) for one in problems[:_SHOWN])
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        rows = len({one.row for one in problems})
        super().__init__(
            f"{path.name} has {rows} bad row{'s' if rows != 1 else ''}; nothing was imported.",
            f"{shown}{more}.",
            "Correct them; add --dry-run to see every one.",
        )
        self.problems = problems


def plan(path: Path, options: Options) -> Plan:
    """Read and check a file; nothing is written.

    Raises:
        UsageError: the name is taken, a column is not there, a date's format is ambiguous, the zone is unknown.
        DataError: the file cannot be read or is empty.
    """
    stored.free_name(options.symbol, options.replace)
    table = read(path, options.kind, options.column)
    clock = NEEDED[table.kind][0]
    form = options.date_format or _format(path, [row.cells.get(clock, "") for row in table.rows], table)
    zone = options.zone or table.zone or "UTC"
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"There is no time zone {zone!r}.", "", "Give one such as America/New_York.") from None

    def moment(text: str) -> dt.datetime | None:
        try:
            found = dt.datetime.strptime(text, form)  # noqa: DTZ007 - localised when it is stored
        except ValueError:
            return None
        return found if table.kind in _TIMED else dt.datetime.combine(found.date(), dt.time())

    checked = check(table.rows, table.kind, table.names, moment)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Plan(path, options, table.kind, form, zone, checked, digest)


_TIMED = (Kind.TRADES, Kind.INTRADAY)


def _format(path: Path, texts: list[str], table: RawTable) -> str:
    formats = table.formats or (TIME_FORMATS if table.kind in _TIMED else DAY_FORMATS)
    form, ambiguous = moment_format(texts, formats)
    if ambiguous:
        raise UsageError(
            f"The dates of {path.name} can be read in two ways ({texts[0]!r}).",
            "No row tells day and month apart.",
            "Give --date-format, for instance '%d/%m/%Y'.",
        )
    return form


def store(found: Plan) -> tuple[SeriesInfo, ...]:
    """Write what was planned.

    Raises:
        BadRows: there are bad rows; nothing is written.
        DataError: it cannot be written.
    """
    if found.problems:
        raise BadRows(found.path, found.problems)
    columns = _arrays(found)

    def write(path: Path) -> None:
        write_parquet(columns, path)

    return stored.put(found.options.symbol, write, lambda path: _entry(found, path))


def write_parquet(columns: dict[str, npt.NDArray[Any]], path: Path) -> None:
    """The columns as Parquet (zstd), in their order."""
    import duckdb

    with duckdb.connect() as db:
        db.register("columns", columns)
        db.table("columns").write_parquet(str(path), compression="zstd")


def _arrays(found: Plan) -> dict[str, npt.NDArray[Any]]:
    """The Parquet file's columns: as the bundle's for daily kinds, else ``ts_ns`` (UTC), ``row`` and the values."""
    values = {name: np.array(column, np.float64) for name, column in found.checked.columns.items()}
    if found.kind in _TIMED:
        moments = np.array(found.checked.moments, "datetime64[us]")
        for name in ("volume", "size"):
            if name in values:
                values[name] = values[name].astype(np.int64)
        return {"ts_ns": utc_ns(moments, found.zone), "row": np.arange(moments.size), **values}
    days = np.array(found.checked.moments, "datetime64[D]").astype("datetime64[s]")
    if found.kind is not Kind.BARS:
        return {"date": days, found.options.symbol: values["close" if found.kind is Kind.CLOSES else "value"]}
    volume = values.get("volume", np.zeros(days.size)).astype(np.int64)
    adjusted = values.get("adj_close", np.full(days.size, np.nan))
    names = np.full(days.size, found.options.symbol, dtype=object)
    prices = {name: values[name] for name in ("open", "high", "low", "close")}
    return {"symbol": names, "date": days, **prices, "adj_close": adjusted, "volume": volume}


def utc_ns(moments: npt.NDArray[np.datetime64], zone: str) -> npt.NDArray[np.int64]:
    """Clock times of a zone as nanoseconds since 1970 in UTC; an hour that comes twice is taken the first time."""
    where = zoneinfo.ZoneInfo(zone)
    hours = moments.astype("datetime64[h]")
    distinct, inverse = np.unique(hours, return_inverse=True)
    offsets = [where.utcoffset(hour) for hour in distinct.astype("datetime64[s]").tolist()]
    shift = np.array([0 if off is None else int(off.total_seconds()) for off in offsets], np.int64)
    return moments.astype("datetime64[ns]").astype(np.int64) - shift[inverse] * 1_000_000_000


def _entry(found: Plan, path: Path) -> stored.Facts:
    moments = found.checked.moments
    first, last = min(moments), max(moments)
    values = next(iter(found.checked.columns.values()))
    negative = f" {len(found.flags)} prices are negative." if found.flags else ""
    facts = {
        "units": found.options.units,
        "frequency": found.options.frequency
        or {Kind.TRADES: "trade", Kind.INTRADAY: "intraday"}.get(found.kind, "daily"),
        "adjustment": str(found.options.adjusted),
        "rows": found.rows,
        "missing": int(np.isnan(np.array(values)).sum()),
        "first": str(first)[:10],
        "last": str(last)[:10],
    }
    title = found.options.title or f"Imported from {found.path.name}"
    words = {
        "title": title,
        "licence": found.options.licence,
        "rights": found.options.rights,
        "adjustment": f"As the user says: {found.options.adjusted}.{negative}",
        "sha256_source": found.sha256,
    }
    origin = found.options.origin or {"registry": "user file", "path": found.path.name}
    series = stored.series_facts(found.options.symbol, title, facts)
    return stored.described(found.kind, origin, words, series, path)
