"""One query surface over every stored series: the bundle's Parquet files and the user's, read through DuckDB.

Answers are columnar: the days once, then one array per symbol and column.  A number that is missing is null (NaN here).
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec
import numpy as np
import numpy.typing as npt

from engines.data import ranges
from engines.wire import bundle
from engines.wire.bundle import Bars, Values
from engines.wire.bundle_files import Adjustment, Kind, SeriesInfo, everything, imports, verified
from engines.wire.errors import DataError, UsageError

MAX_ROWS = 20_000  # days, or trades, of one answer
BAR_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")

Daily = Literal["bars", "closes"]


class DailyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days of which symbols.  Both days are inclusive; None is open.

    ``kind`` None: bars where there are any, else closes (whose one column is ``close``).  ``source`` names one of
    several series of bars.
    """

    names: Sequence[str]
    start: dt.date | None = None
    end: dt.date | None = None
    columns: Sequence[str] = ("close",)
    kind: Daily | None = None
    source: str = ""


class SeriesRow(msgspec.Struct, frozen=True, kw_only=True):
    """One series of the catalogue."""

    symbol: str
    kind: Kind
    title: str
    source: str
    adjusted: Adjustment
    units: str
    frequency: str
    rows: int
    missing: int
    first: dt.date
    last: dt.date
    licence: str
    rights: str
    origin: str
    adjustment: str  # in words
    imported: bool


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's values on the shared days, and what was done to them."""

    symbol: str
    source: str
    kind: Kind
    adjusted: Adjustment
    units: str
    values: dict[str, list[float]]  # column -> one number a day, null where there is none


class BarsTable(msgspec.Struct, frozen=True, kw_only=True):
    """Days ``offset`` to ``offset + len(dates)`` of ``total``; ``next_offset`` is None on the last page."""

    total: int
    offset: int
    next_offset: int | None
    dates: list[str]
    series: tuple[Columns, ...]


class SeriesTable(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one rate, factor or macro series; a month or quarter stands on its first day."""

    name: str
    title: str
    units: str
    frequency: str
    source: str
    total: int
    offset: int
    next_offset: int | None
    dates: list[str]
    values: list[float]


class TradesTable(msgspec.Struct, frozen=True, kw_only=True):
    """Rows ``offset`` to ``offset + len(ts_ns)`` of the ``total`` in the range, in time order."""

    dataset: str
    source: str
    total: int
    offset: int
    next_offset: int | None
    ts_ns: list[int]  # UTC, nanoseconds since 1970
    columns: dict[str, list[float]]


def symbols() -> tuple[SeriesRow, ...]:
    """Every series, sources of one symbol next to each other; a joined one comes before its parts."""
    found = sorted(everything(), key=lambda info: info.symbol)
    return tuple(
        SeriesRow(
            symbol=info.symbol,
            kind=info.kind,
            title=info.title,
            source=info.source,
            adjusted=info.adjusted,
            units=info.units,
            frequency=info.frequency,
            rows=info.rows,
            missing=info.missing,
            first=info.first,
            last=info.last,
            licence=info.licence,
            rights=info.rights,
            origin=info.origin,
            adjustment=info.adjustment,
            imported=info.imported,
        )
        for info in found
    )


def problems() -> tuple[str, ...]:
    """What is wrong in the folder of imports."""
    return imports().problems


def bars(query: DailyQuery, offset: int = 0, limit: int = MAX_ROWS) -> BarsTable:
    """Daily columns of several symbols on the union of their days.

    Each symbol is answered from one series, whose adjustment is in the answer; nothing is spliced.

    Raises:
        UsageError: no name, a name twice, an unknown column, a range that is backwards.
        UnknownSymbol: with the nearest known.
        DataError: a range outside a symbol's dates, without a session, or in no single one of its series.
    """
    _named(query.names)
    ranges.ordered(query.start, query.end)
    found = [_daily(name, query) for name in query.names]
    for held in found:
        if len(held) == 0:
            raise ranges.why_empty(_info(held), query.start, query.end)
    days = _union([held.date for held in found])
    stop = min(days.size, offset + limit)
    page = days[offset:stop]
    return BarsTable(
        total=int(days.size),
        offset=offset,
        next_offset=stop if stop < days.size else None,
        dates=_texts(page),
        series=tuple(_columns(held, query.columns, page) for held in found),
    )


def series(
    name: str, start: dt.date | None = None, end: dt.date | None = None, offset: int = 0, limit: int = MAX_ROWS
) -> SeriesTable:
    """One page of a series that is no symbol: a rate, a factor, a macro figure.

    Raises:
        UsageError, UnknownSymbol, DataError: as ``bars``.
    """
    ranges.ordered(start, end)
    whole = bundle.series(name)
    ranges.overlaps(whole.info, start, end)
    held = whole.between(start, end)
    if len(held) == 0:
        raise ranges.why_empty(held.info, start, end)
    stop = min(len(held), offset + limit)
    info = held.info
    return SeriesTable(
        name=name,
        title=info.title,
        units=info.units,
        frequency=info.frequency,
        source=info.source,
        total=len(held),
        offset=offset,
        next_offset=stop if stop < len(held) else None,
        dates=_texts(held.date[offset:stop]),
        values=held.value[offset:stop].tolist(),
    )


def dataset(name: str) -> SeriesInfo:
    """An imported or pulled set of trades or of bars within the day.

    Raises:
        UnknownSymbol: there is none of that name.
    """
    held = [info for info in everything() if info.kind in (Kind.TRADES, Kind.INTRADAY)]
    for info in held:
        if info.symbol == name:
            return info
    raise bundle.UnknownSymbol(name, [info.symbol for info in held], "data set of trades")


def trades(
    name: str, start: dt.datetime | None = None, end: dt.datetime | None = None, offset: int = 0, limit: int = 1_000
) -> TradesTable:
    """One page of trades from ``start`` up to but without ``end`` (without a zone: UTC), straight from Parquet.

    Raises:
        UnknownSymbol, DataError, UsageError: as ``bars``.
    """
    import duckdb

    info = dataset(name)
    low, high = _ns(start, -(2**63)), _ns(end, 2**63 - 1)
    if low > high:
        raise UsageError(f"start {start} is after end {end}.", "A range begins before it ends.", "Swap the two.")
    path = str(verified(info))
    with duckdb.connect() as db:
        row = db.execute("SELECT count(*) FROM read_parquet(?) WHERE ts_ns >= ? AND ts_ns < ?", [path, low, high])
        (total,) = cast(tuple[int], row.fetchone())
        page = db.execute(
            "SELECT * FROM read_parquet(?) WHERE ts_ns >= ? AND ts_ns < ? ORDER BY ts_ns, row LIMIT ? OFFSET ?",
            [path, low, high, limit, offset],
        ).fetchnumpy()
    if total == 0:
        why = f"Its {info.kind} run from {info.first} to {info.last}."
        raise DataError(f"{name} has nothing in that range.", why, "Choose times inside them.")
    stop = offset + len(page["ts_ns"])
    return TradesTable(
        dataset=name,
        source=info.source,
        total=total,
        offset=offset,
        next_offset=stop if stop < total else None,
        ts_ns=page["ts_ns"].tolist(),
        columns={key: column.tolist() for key, column in page.items() if key not in ("ts_ns", "row")},
    )


def _ns(moment: dt.datetime | None, otherwise: int) -> int:
    if moment is None:
        return otherwise
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return int((aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)) * 1_000


def _named(names: Sequence[str]) -> None:
    if not names or "" in names:
        raise UsageError("No symbol was asked for.", "", "Give symbols=AAPL,MSFT, for instance.")
    double = sorted({name for name in names if list(names).count(name) > 1})
    if double:
        raise UsageError(f"{', '.join(double)} was asked for twice.", "", "Name each symbol once.")


def _daily(name: str, query: DailyQuery) -> Bars | Values:
    """One symbol's days in the range, from bars or from closes."""
    kinds = {info.kind for info in everything() if info.symbol == name}
    if query.kind == "bars" or (query.kind is None and (Kind.BARS in kinds or Kind.CLOSES not in kinds)):
        info = bundle.info_of(name, query.start, query.end, query.source)
        _known_columns(name, query.columns, BAR_COLUMNS)
        ranges.overlaps(info, query.start, query.end)
        return bundle.bars(name, query.start, query.end, query.source, signed=True)
    whole = bundle.closes(name)
    _known_columns(name, query.columns, ("close",))
    ranges.overlaps(whole.info, query.start, query.end)
    return whole.between(query.start, query.end)


def _known_columns(name: str, columns: Sequence[str], known: Sequence[str]) -> None:
    strange = [column for column in columns if column not in known]
    if strange or not columns:
        raise UsageError(
            f"{name} has no column {', '.join(strange) or '(none was asked for)'}.",
            f"It has {', '.join(known)}.",
            "Ask for one of these.",
        )


def _info(held: Bars | Values) -> SeriesInfo:
    if held.info is None:
        raise DataError("These bars come from no file.", "Only stored series are in the catalogue.", "")
    return held.info


def _union(dates: Sequence[bundle.Dates]) -> bundle.Dates:
    first = dates[0]
    if all(other is first or np.array_equal(other, first) for other in dates[1:]):
        return first
    return np.unique(np.concatenate(dates))


def _columns(held: Bars | Values, columns: Sequence[str], page: bundle.Dates) -> Columns:
    info = _info(held)
    values = {
        name: _on(held.date, held.value if isinstance(held, Values) else getattr(held, name), page) for name in columns
    }
    return Columns(
        symbol=info.symbol,
        source=info.source,
        kind=info.kind,
        adjusted=info.adjusted,
        units=info.units,
        values={name: array.tolist() for name, array in values.items()},
    )


def _on(dates: bundle.Dates, values: npt.NDArray[Any], page: bundle.Dates) -> npt.NDArray[Any]:
    """The values on the page's days, NaN on a day that the symbol lacks."""
    if page.size == 0:
        return values[:0]
    low = int(dates.searchsorted(page[0]))
    part = dates[low : low + page.size]
    if np.array_equal(part, page):
        return values[low : low + page.size]
    out = np.full(page.size, np.nan)
    rows = page.searchsorted(dates)
    inside = (dates >= page[0]) & (dates <= page[-1])
    out[rows[inside]] = values[inside]
    return out


def _texts(days: bundle.Dates) -> list[str]:
    return np.datetime_as_string(days).tolist() if days.size else []
