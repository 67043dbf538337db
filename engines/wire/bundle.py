"""The bundled daily prices: real bars of the S&P 500 index (``SPX``) and of five US shares.

Whole symbols are read once per process through DuckDB and kept as read-only arrays; a request is a slice of them.
"""

import datetime as dt
import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.wire.errors import DataError, UnknownName

FOLDER = Path(__file__).resolve().parent.parent / "marketdata" / "bundle"
INDEX = "SPX"

Dates = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]


class UnknownSymbol(UnknownName):
    """The bundle holds no bars of that symbol."""

    def __init__(self, symbol: str, known: tuple[str, ...]) -> None:
        super().__init__("symbol in the bundle", symbol, known)
        self.symbol = symbol


class MissingBarError(DataError):
    """The symbol is in the bundle, the day is not: a holiday, a weekend, or outside the symbol's dates."""

    def __init__(self, symbol: str, day: dt.date, info: "SeriesInfo") -> None:
        inside = info.first <= day <= info.last
        why = "It was no trading day." if inside else f"Its bars run from {info.first} to {info.last}."
        super().__init__(f"{symbol} has no bar on {day}.", why, "Choose a trading day inside those dates.")
        self.symbol = symbol
        self.day = day


@dataclass(frozen=True)
class SeriesInfo:
    """What the bundle holds of one symbol, and under which terms."""

    symbol: str
    rows: int
    first: dt.date
    last: dt.date
    file: str
    title: str
    origin: str  # package, version and path inside it
    licence: str  # as stated by the origin
    adjustment: str  # what splits and dividends do to the columns


@dataclass(frozen=True)
class Bar:
    """One trading day. Prices in currency units (index points for SPX); ``adj_close`` is NaN where there is none."""

    symbol: str
    date: dt.date
    open: float
    high: float
    low: float
    close: float
    adj_close: float
    volume: int


@dataclass(frozen=True, eq=False)
class Bars:
    """Trading days of one symbol in date order: read-only arrays of equal length.

    Prices are unadjusted, so a split is a jump; ``adj_close`` (NaN where there is none) is for returns.
    """

    symbol: str
    date: Dates  # datetime64[D]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    adj_close: Floats
    volume: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.date.size)

    def between(self, start: dt.date | None, end: dt.date | None) -> "Bars":
        """The bars from ``start`` to ``end``, both inclusive, as views."""
        low = 0 if start is None else int(self.date.searchsorted(np.datetime64(start, "D"), side="left"))
        high = len(self) if end is None else int(self.date.searchsorted(np.datetime64(end, "D"), side="right"))
        return Bars(self.symbol, *(getattr(self, column.name)[low:high] for column in fields(self)[1:]))

    def before(self, day: dt.date, count: int) -> "Bars":
        """The last ``count`` bars strictly before ``day``, fewer where the series begins later."""
        earlier = self.between(None, day - dt.timedelta(days=1))
        first = max(0, len(earlier) - count)
        return Bars(self.symbol, *(getattr(earlier, column.name)[first:] for column in fields(self)[1:]))


def _info(entry: dict[str, Any], series: dict[str, Any]) -> SeriesInfo:
    """One symbol's entry of ``metadata.json`` (whose shape scripts/build_bundle.py defines)."""
    origin = entry["origin"]
    return SeriesInfo(
        symbol=series["symbol"],
        rows=series["rows"],
        first=dt.date.fromisoformat(series["first"]),
        last=dt.date.fromisoformat(series["last"]),
        file=entry["file"],
        title=entry["title"],
        origin=f"{origin['package']} {origin['version']}: {origin['path']}",
        licence=entry["licence"],
        adjustment=entry["adjustment"],
    )


@lru_cache(maxsize=1)
def catalog() -> tuple[SeriesInfo, ...]:
    """Every symbol of the bundle, in symbol order, read from ``metadata.json``."""
    metadata = json.loads((FOLDER / "metadata.json").read_text(encoding="utf-8"))
    found = [_info(entry, series) for entry in metadata["files"] for series in entry["symbols"]]
    return tuple(sorted(found, key=lambda info: info.symbol))


def info_of(symbol: str) -> SeriesInfo:
    """The catalogue entry of ``symbol``; raises ``UnknownSymbol``."""
    for info in catalog():
        if info.symbol == symbol:
            return info
    raise UnknownSymbol(symbol, tuple(info.symbol for info in catalog()))


@lru_cache(maxsize=64)
def _series(symbol: str) -> Bars:
    """All bars of one symbol, read from its Parquet file."""
    import duckdb

    info = info_of(symbol)
    with duckdb.connect() as db:
        columns = db.execute(
            "SELECT date, open, high, low, close, coalesce(adj_close, 'NaN'::DOUBLE) AS adj_close, volume "
            "FROM read_parquet(?) WHERE symbol = ? ORDER BY date",
            [str(FOLDER / info.file), symbol],
        ).fetchnumpy()
    if len(columns["date"]) != info.rows:
        raise DataError(
            f"{info.file} holds {len(columns['date'])} bars of {symbol}.",
            f"Its metadata states {info.rows}: the file is not the one that was built.",
            "Run: python scripts/build_bundle.py --check",
        )
    arrays = {name: np.ascontiguousarray(np.ma.getdata(column)) for name, column in columns.items()}
    arrays["date"] = arrays["date"].astype("datetime64[D]")
    for column in arrays.values():
        column.flags.writeable = False
    return Bars(symbol=symbol, **arrays)


def bars(symbol: str, start: dt.date | None = None, end: dt.date | None = None) -> Bars:
    """Bars of ``symbol`` from ``start`` to ``end``, both inclusive; empty where no trading day lies between them.

    Raises ``UnknownSymbol`` (a ``UsageError``) with the nearest symbol that the bundle holds.
    """
    return _series(symbol).between(start, end)


def bar(symbol: str, date: dt.date) -> Bar:
    """The bar of one day; raises ``UnknownSymbol``, or ``MissingBarError`` when the day has none."""
    day = bars(symbol, date, date)
    if len(day) == 0:
        raise MissingBarError(symbol, date, info_of(symbol))
    return Bar(
        symbol=symbol,
        date=date,
        open=float(day.open[0]),
        high=float(day.high[0]),
        low=float(day.low[0]),
        close=float(day.close[0]),
        adj_close=float(day.adj_close[0]),
        volume=int(day.volume[0]),
    )
