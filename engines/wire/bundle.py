"""Real daily prices and series: the bundle's and the user's imports.

Whole series are read once per process through DuckDB and kept as read-only arrays; a request is a slice of them.  One
symbol may have several series of bars with different adjustment: a request takes one of them, never a mixture, and its
answer says which (``Bars.info``).
"""

import datetime as dt
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from engines.wire.bundle_errors import AmbiguousSeries, MissingBarError, NegativePrice, UnknownSymbol
from engines.wire.bundle_files import FOLDER, Adjustment, Kind, SeriesInfo, Split, bundled, everything, verified
from engines.wire.errors import DataError

__all__ = [
    "FOLDER",
    "INDEX",
    "Adjustment",
    "AmbiguousSeries",
    "Bar",
    "Bars",
    "Dates",
    "Floats",
    "Kind",
    "MissingBarError",
    "NegativePrice",
    "SeriesInfo",
    "Split",
    "UnknownSymbol",
    "Values",
    "bar",
    "bars",
    "before",
    "catalog",
    "closes",
    "info_of",
    "series",
    "simple_returns",
    "sources_of",
    "split_factor",
]

INDEX = "SPX"

Dates = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
T = TypeVar("T", bound=np.generic)


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
    adjusted: Adjustment = Adjustment.AS_TRADED
    split_factor: float = 1.0  # price as traded = price x factor, volume as traded = volume / factor


@dataclass(frozen=True, eq=False)
class Bars:
    """Trading days of one symbol in date order: read-only arrays of equal length.

    ``info.adjusted`` says whether a split is a jump (as-traded) or undone (split-adjusted); ``adj_close`` (NaN where
    there is none) is for returns in either case.
    """

    symbol: str
    date: Dates  # datetime64[D]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    adj_close: Floats
    volume: npt.NDArray[np.int64]
    info: SeriesInfo | None = None  # None for bars that come from no file

    def __len__(self) -> int:
        return int(self.date.size)

    def _part(self, low: int, high: int) -> "Bars":
        part = slice(low, high)
        columns: dict[str, Any] = {name: getattr(self, name)[part] for name in _COLUMNS}
        return Bars(symbol=self.symbol, info=self.info, **columns)

    def between(self, start: dt.date | None, end: dt.date | None) -> "Bars":
        """The bars from ``start`` to ``end``, both inclusive, as views."""
        low = 0 if start is None else int(self.date.searchsorted(np.datetime64(start, "D"), side="left"))
        high = len(self) if end is None else int(self.date.searchsorted(np.datetime64(end, "D"), side="right"))
        return self._part(low, high)

    def before(self, day: dt.date, count: int) -> "Bars":
        """The last ``count`` bars strictly before ``day``, fewer where the series begins later."""
        high = int(self.date.searchsorted(np.datetime64(day, "D"), side="left"))
        return self._part(max(0, high - count), high)

    def returns(self) -> Floats:
        """Simple returns of the adjusted close (of the close where a day lacks it); one fewer than days.

        Raises:
            DataError: a price is missing, zero or negative, so that a return means nothing.
        """
        adjusted = self.adj_close
        return simple_returns(self.symbol, self.date, adjusted if np.isfinite(adjusted).all() else self.close)

    def as_traded(self) -> "Bars":
        """The same days with the splits of a split-adjusted series put back: prices x factor, volume / factor.

        ``adj_close`` stays. Prices come out to the relative precision of the file (6e-8 where it is single).

        Raises:
            DataError: what was adjusted is not known, or dividends are in the prices.
        """
        if self.info is None or self.info.adjusted in (Adjustment.AS_TRADED, Adjustment.NONE):
            return self
        if self.info.adjusted is not Adjustment.SPLITS:
            raise DataError(
                f"{self.symbol} has no prices as traded.",
                f"{self.info.file} is {self.info.adjusted}.",
                "Use its returns, or another series.",
            )
        factor = np.ones(len(self))
        for split in self.info.splits:
            factor[self.date < np.datetime64(split.date, "D")] *= split.ratio
        return replace(
            self,
            open=_frozen(self.open * factor),
            high=_frozen(self.high * factor),
            low=_frozen(self.low * factor),
            close=_frozen(self.close * factor),
            volume=_frozen(np.rint(self.volume / factor).astype(np.int64)),
            info=replace(self.info, adjusted=Adjustment.AS_TRADED, splits=()),
        )


_COLUMNS = tuple(column.name for column in fields(Bars))[1:-1]


@dataclass(frozen=True, eq=False)
class Values:
    """A series of closes, rates or figures in date order: read-only, NaN where there is none."""

    name: str
    date: Dates  # datetime64[D]
    value: Floats
    info: SeriesInfo

    def __len__(self) -> int:
        return int(self.date.size)

    def between(self, start: dt.date | None, end: dt.date | None) -> "Values":
        """The values from ``start`` to ``end``, both inclusive, as views."""
        low = 0 if start is None else int(self.date.searchsorted(np.datetime64(start, "D"), side="left"))
        high = len(self) if end is None else int(self.date.searchsorted(np.datetime64(end, "D"), side="right"))
        return Values(self.name, self.date[low:high], self.value[low:high], self.info)

    def returns(self) -> Floats:
        """Simple returns, one fewer than days; raises ``DataError`` where a value is missing, zero or negative."""
        return simple_returns(self.name, self.date, self.value)


def simple_returns(name: str, date: Dates, price: Floats) -> Floats:
    """price[k] / price[k - 1] - 1; one fewer than prices.

    Raises:
        DataError: a price is missing, zero or negative, so that a return means nothing; it names the first such day.
    """
    bad = np.flatnonzero(~(price > 0))
    if bad.size:
        raise DataError(
            f"{name} has no returns from {date[0]} to {date[-1]}.",
            f"Its price is {price[bad[0]]:g} on {date[bad[0]]}: a return on it means nothing.",
            "Choose a range without that day, or work with price differences.",
        )
    return price[1:] / price[:-1] - 1.0


def _frozen(array: npt.NDArray[T]) -> npt.NDArray[T]:
    array.flags.writeable = False
    return array


def _named(symbol: str, kind: Kind) -> list[SeriesInfo]:
    """Every series of that symbol and kind, default first; raises ``UnknownSymbol``."""
    whole = everything()
    found = [info for info in whole if info.symbol == symbol and info.kind is kind]
    if not found:
        words = {Kind.BARS: "symbol in the bundle", Kind.CLOSES: "symbol with closes", Kind.SERIES: "series"}
        raise UnknownSymbol(symbol, tuple({info.symbol for info in whole if info.kind is kind}), words[kind])
    return found


def catalog() -> tuple[SeriesInfo, ...]:
    """The default series of bars of every bundled symbol, in symbol order."""
    first: dict[str, SeriesInfo] = {}
    for info in bundled():
        if info.kind is Kind.BARS:
            first.setdefault(info.symbol, info)
    return tuple(first[symbol] for symbol in sorted(first))


def sources_of(symbol: str) -> tuple[SeriesInfo, ...]:
    """The series of bars among which a request for ``symbol`` chooses, default first; raises ``UnknownSymbol``."""
    found = _named(symbol, Kind.BARS)
    parts = {(part.file, part.source) for info in found for part in info.parts}
    return tuple(info for info in found if (info.file, info.source) not in parts)


def info_of(symbol: str, start: dt.date | None = None, end: dt.date | None = None, source: str = "") -> SeriesInfo:
    """The series of bars that answers for ``symbol`` between two days (None: open).

    The days are first moved into the dates that the symbol has at all; then the first series that holds both answers.
    ``source`` names a series outright (``SeriesInfo.source``).

    Raises:
        UnknownSymbol: no such symbol, or it has no such source.
        AmbiguousSeries: no series holds both days.
    """
    if source:
        found = _named(symbol, Kind.BARS)
        for info in found:
            if info.source == source:
                return info
        raise UnknownSymbol(source, tuple(info.source for info in found), f"source of {symbol}")
    found = list(sources_of(symbol))
    first, last = min(info.first for info in found), max(info.last for info in found)
    days = [min(max(day, first), last) for day in (start, end) if day is not None]
    for info in found:
        if all(info.first <= day <= info.last for day in days):
            return info
    raise AmbiguousSeries(symbol, days[0], days[-1], found)


_BARS_QUERY = """
    SELECT date, open::DOUBLE AS open, high::DOUBLE AS high, low::DOUBLE AS low, close::DOUBLE AS close,
        coalesce(adj_close::DOUBLE, 'NaN') AS adj_close, volume
    FROM read_parquet(?) WHERE symbol = ? ORDER BY date
"""
_VALUES_QUERY = """SELECT date, coalesce("{}"::DOUBLE, 'NaN') AS value FROM read_parquet(?) ORDER BY date"""


@lru_cache(maxsize=256)
def _bars(info: SeriesInfo) -> Bars:
    """All bars of one series, read from its Parquet file or joined from its parts."""
    if info.parts:
        first, second = (_bars(part) for part in info.parts)
        later = second.between(first.date[-1].item() + dt.timedelta(days=1), None)
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(first, name), getattr(later, name)]) for name in _COLUMNS
        }
    else:
        columns = _read(info, _BARS_QUERY, info.symbol)
    return Bars(symbol=info.symbol, info=info, **{name: _frozen(column) for name, column in columns.items()})


@lru_cache(maxsize=256)
def _values(info: SeriesInfo) -> Values:
    """All values of one series, read from its column."""
    columns = _read(info, _VALUES_QUERY.format(info.symbol.replace('"', '""')))
    return Values(info.symbol, _frozen(columns["date"]), _frozen(columns["value"]), info)


def _read(info: SeriesInfo, query: str, *more: str) -> dict[str, npt.NDArray[Any]]:
    import duckdb

    with duckdb.connect() as db:
        columns = db.execute(query, [str(verified(info)), *more]).fetchnumpy()
    if len(columns["date"]) != info.rows:
        raise DataError(
            f"{info.file} holds {len(columns['date'])} rows of {info.symbol}.",
            f"Its metadata states {info.rows}: the file is not the one that was built.",
            "Run: python scripts/build_bundle.py --check",
        )
    arrays = {name: np.ascontiguousarray(np.ma.getdata(column)) for name, column in columns.items()}
    arrays["date"] = arrays["date"].astype("datetime64[D]")
    return arrays


def _computable(found: Bars) -> Bars:
    """The bars; raises ``NegativePrice`` for an import with a price that is not positive (the bundle has none)."""
    if found.info is not None and found.info.imported:
        bad = np.flatnonzero(found.low <= 0)
        if bad.size:
            raise NegativePrice(found.symbol, found.date[bad[0]].item(), float(found.low[bad[0]]))
    return found


def bars(
    symbol: str, start: dt.date | None = None, end: dt.date | None = None, source: str = "", *, signed: bool = False
) -> Bars:
    """Bars of ``symbol`` from ``start`` to ``end``, both inclusive; empty where no trading day lies between them.

    Which series answers is ``info_of``'s choice.  ``signed``: the caller only shows prices, so that zero and negative
    ones in an import are welcome.

    Raises:
        UnknownSymbol, AmbiguousSeries: as ``info_of``.
        NegativePrice: an import has a price that is not positive there, and the caller did not say ``signed``.
    """
    found = _bars(info_of(symbol, start, end, source)).between(start, end)
    return found if signed else _computable(found)


def before(symbol: str, day: dt.date, count: int, source: str = "") -> Bars:
    """The last ``count`` bars strictly before ``day`` of the series that holds ``day``; raises what ``bars`` raises."""
    return _computable(_bars(info_of(symbol, None, day, source)).before(day, count))


def bar(symbol: str, date: dt.date, source: str = "") -> Bar:
    """The bar of one day; raises what ``bars`` raises, or ``MissingBarError`` when the day has none."""
    day = bars(symbol, date, date, source)
    info = info_of(symbol, date, date, source)
    if len(day) == 0:
        raise MissingBarError(symbol, date, info)
    return Bar(
        symbol=symbol,
        date=date,
        open=float(day.open[0]),
        high=float(day.high[0]),
        low=float(day.low[0]),
        close=float(day.close[0]),
        adj_close=float(day.adj_close[0]),
        volume=int(day.volume[0]),
        adjusted=info.adjusted,
        split_factor=info.split_factor(date),
    )


def split_factor(symbol: str, day: dt.date, source: str = "") -> float:
    """What ``symbol``'s prices of that day are multiplied with to be as traded: 4 for AAPL in March 2020, 1 in 2010.

    Raises what ``bars`` raises.
    """
    return info_of(symbol, day, day, source).split_factor(day)


def closes(symbol: str, start: dt.date | None = None, end: dt.date | None = None) -> Values:
    """Closes of ``symbol`` from a file of closes, both days inclusive; ``info.adjusted`` says what they are.

    Raises:
        UnknownSymbol: no file of closes has it.
    """
    return _values(_named(symbol, Kind.CLOSES)[0]).between(start, end)


def series(name: str, start: dt.date | None = None, end: dt.date | None = None) -> Values:
    """Values of a rate, factor or macro series; a month or quarter stands on its first day.

    Raises:
        UnknownSymbol: there is none of that name.
    """
    return _values(_named(name, Kind.SERIES)[0]).between(start, end)
