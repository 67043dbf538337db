"""Feeds of stored ticks: a Parquet file of trades, or one symbol of a tape, at their real inter-arrival times x speed.

A file's columns are `ts` or `ts_ns` (a timestamp, or nanoseconds since the Unix epoch), `price` (an integer is in
1/10,000 of a currency unit, as this platform records; anything else is in currency units), `size`, and optionally
`side` (+1, -1), `symbol` (then only that symbol's rows are taken) and `seq` (the source's own numbers, which show its
gaps).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engines.marketdata.day import Day
from engines.marketdata.feeds.feed import NO_QUOTES, NO_TRADES, Taken, tick_rule
from engines.marketdata.feeds.request import FeedSpec
from engines.marketdata.feeds.state import Ints
from engines.wire.errors import DataError, UnknownName, UsageError
from engines.wire.ticks import PRICE_SCALE, TRADE, Rows

_TIMES = ("ts_ns", "ts")
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"})


class Lane(NamedTuple):
    """Rows of one kind in the order of the source; `due`: no tick leaves before its predecessor, in market time."""

    rows: Rows
    seq: Ints
    due: Ints


class StoredFeed:
    """Ticks with a schedule.  `begin` says when market time `t0` is."""

    def __init__(self, spec: FeedSpec, lanes: Sequence[Lane], *, sides_inferred: bool = False) -> None:
        self.spec = spec
        self.sides_inferred = sides_inferred
        self.pauses = 0
        self.resets = 0
        self.breaks = 0
        self.error = ""
        self.total: int | None = sum(lane.due.size for lane in lanes)
        self._lanes = lanes
        self._at = [0] * len(lanes)
        self._start_ns = self._t0 = 0
        self._speed = 1.0

    @property
    def first_ts(self) -> int:
        """Market time of the first tick."""
        return min(int(lane.due[0]) for lane in self._lanes)

    @property
    def last_ts(self) -> int:
        """Market time at which the last tick is due."""
        return max(int(lane.due[-1]) for lane in self._lanes)

    def begin(self, start_ns: int, t0: int, speed: float) -> None:
        """Market time `t0` is at `start_ns` (CLOCK_MONOTONIC)."""
        self._start_ns, self._t0, self._speed = start_ns, t0, speed

    @property
    def over(self) -> bool:
        """Every tick was taken."""
        return all(at == lane.due.size for at, lane in zip(self._at, self._lanes, strict=True))

    def take(self, now_ns: int) -> Taken | None:
        """What is due by now."""
        due_ns = self.next_ns()
        if due_ns is None or due_ns > now_ns:
            return None
        until = self._t0 + int((now_ns - self._start_ns) * self._speed)
        parts = []
        for n, lane in enumerate(self._lanes):
            end = int(lane.due.searchsorted(until, side="right"))
            parts.append(Lane(lane.rows[self._at[n] : end], lane.seq[self._at[n] : end], lane.due[self._at[n] : end]))
            self._at[n] = end
        if len(parts) == 1:
            order: npt.NDArray[np.intp] | slice = slice(None)
        else:
            order = np.argsort(np.concatenate([part.due for part in parts]), kind="stable")
        seq = np.concatenate([part.seq for part in parts])[order]
        ts = np.concatenate([part.rows["ts"] for part in parts])[order]
        trades = next((part.rows for part in parts if part.rows.dtype == TRADE), NO_TRADES)
        quotes = next((part.rows for part in parts if part.rows.dtype != TRADE), NO_QUOTES)
        return Taken(seq, ts, trades, quotes, due_ns)

    def next_ns(self) -> int | None:
        """When the next tick is due."""
        left = [int(lane.due[at]) for at, lane in zip(self._at, self._lanes, strict=True) if at < lane.due.size]
        return self._start_ns + round((min(left) - self._t0) / self._speed) if left else None


def from_day(spec: FeedSpec, day: Day, index: int) -> StoredFeed:
    """The trades and quotes of a symbol of a tape, numbered as they come; `index` is the symbol's in the session.

    Raises:
        UnknownName: the tape has no such instrument.
    """
    tradeable = day.scenario.symbols[1:]
    if spec.symbol not in tradeable:
        raise UnknownName("symbol on this tape", spec.symbol, tradeable)
    place = day.scenario.symbols.index(spec.symbol)
    parts = [rows[rows["symbol"] == place].copy() for rows in (day.trades, day.quotes)]
    for rows in parts:
        rows["symbol"] = index
    stamps = np.concatenate([rows["ts"] for rows in parts])
    seq = np.empty(stamps.size, np.int64)
    seq[np.argsort(stamps, kind="stable")] = np.arange(1, stamps.size + 1)
    cut = parts[0].size
    numbers = (seq[:cut], seq[cut:])
    lanes = [_lane(rows, own) for rows, own in zip(parts, numbers, strict=True) if rows.size]
    return StoredFeed(spec, lanes)


def from_file(spec: FeedSpec, index: int) -> StoredFeed:
    """The trades of a Parquet file.

    Raises:
        UsageError: there is no such file, or it is no Parquet.
        DataError: a column is missing, or rows are no trades.
    """
    path = Path(spec.path)
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "", "Give the path of a Parquet file of trades.")
    columns, integer_price = _read(path, spec.symbol)
    price = columns["price"] if integer_price else np.round(columns["price"].astype(np.float64) * PRICE_SCALE)
    bad = ~np.isfinite(columns["price"].astype(np.float64)) | ~(columns["size"] > 0)
    if bad.any():
        first = int(np.flatnonzero(bad)[0]) + 1
        raise DataError(
            f"{path.name} holds {int(bad.sum())} rows that are no trades.",
            f"Row {first} has price {columns['price'][first - 1]} and size {columns['size'][first - 1]}.",
        )
    rows = np.empty(price.size, TRADE)
    rows["ts"], rows["price"], rows["size"] = columns["ts"], price, columns["size"]
    rows["symbol"] = index
    side = columns.get("side")
    rows["side"] = tick_rule(rows["price"]) if side is None else side
    return StoredFeed(spec, [_lane(rows, columns.get("seq"))], sides_inferred=side is None)


def _lane(rows: Rows, seq: Ints | None) -> Lane:
    numbers = np.arange(1, rows.size + 1) if seq is None else np.ascontiguousarray(seq, np.int64)
    return Lane(rows, numbers, np.maximum.accumulate(rows["ts"]))


def _read(path: Path, symbol: str) -> tuple[dict[str, npt.NDArray[Any]], bool]:
    """The columns in the order of the file, and whether prices are integers."""
    import duckdb

    with duckdb.connect(":memory:") as db:
        try:
            described = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        except duckdb.Error as error:
            raise UsageError(f"{path} cannot be read as Parquet.", str(error).splitlines()[0]) from None
        types = {name: kind for name, kind, *_ in described}
        time = next((name for name in _TIMES if name in types), "ts")
        missing = [name for name in (time, "price", "size") if name not in types]
        if missing:
            raise DataError(f"{path.name} has no column {', '.join(missing)}.", f"It has {', '.join(types)}.")
        ts = time if types[time] in _INTEGERS else f"epoch_ns({time})"
        optional = [name for name in ("side", "seq") if name in types]
        where = "WHERE symbol = ?" if "symbol" in types else ""
        chosen = ", ".join([f"CAST({ts} AS BIGINT) AS ts", "price", "CAST(size AS BIGINT) AS size", *optional])
        query = f"SELECT {chosen} FROM read_parquet(?, file_row_number = true) {where} ORDER BY file_row_number"  # noqa: S608 # names are ours
        found = db.execute(query, [str(path), *([symbol] if where else [])]).fetchnumpy()
    empty = [name for name, column in found.items() if np.ma.is_masked(column)]
    if empty:
        raise DataError(f"{path.name} holds empty values in {', '.join(empty)}.", "A trade needs each of them.")
    if not len(found["ts"]):
        raise DataError(f"{path.name} holds no trade of {symbol}.", "", "Choose one of its symbols with --symbol.")
    return {name: np.ma.getdata(column) for name, column in found.items()}, types["price"] in _INTEGERS
