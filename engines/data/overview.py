"""What one stored series looks like, and whether the stored files are what they were: facts for people to read."""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from engines.data import calendar, catalog, ranges
from engines.data.catalog import BAR_COLUMNS
from engines.wire import bundle
from engines.wire.bundle import Bars, Values
from engines.wire.bundle_files import FOLDER, Kind, SeriesInfo, everything, imported_folder, imports
from engines.wire.errors import DataError

SPARK = 60  # points of the sketch
GAPS = 20  # days of a gap list
_TIMED = (Kind.TRADES, Kind.INTRADAY)


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file and whether its bytes are the recorded ones."""

    file: str
    title: str
    kind: Kind
    bytes: int | None  # None: it is missing
    sha256: str
    ok: bool
    licence: str
    rights: str
    symbols: tuple[str, ...]
    first: str
    last: str
    imported: bool


class Move(msgspec.Struct, frozen=True):
    """One day's simple return in per cent."""

    date: str
    percent: float


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """One series between two days."""

    schema: str = "nautilus.series/1"
    symbol: str
    title: str
    kind: Kind
    source: str
    adjusted: str
    adjustment: str
    units: str
    frequency: str
    licence: str
    rights: str
    origin: str
    first: str
    last: str
    rows: int
    missing: int  # rows without a value
    columns: tuple[str, ...]
    head: tuple[tuple[str, ...], ...]
    tail: tuple[tuple[str, ...], ...]
    sketch: tuple[float, ...]  # about SPARK values from first to last, adjusted closes where there are any
    worst: Move | None  # None: no returns can be made, `note` says why
    best: Move | None
    gaps: tuple[str, ...] | None  # sessions without a row, GAPS at most; None: not compared with the calendar
    gap_count: int | None
    extra_count: int | None  # rows on days without a session
    note: str
    other_sources: tuple[str, ...]


def stored_files() -> tuple[StoredFile, ...]:
    """Every file of the bundle, then the user's, each read and compared with its recorded sha256."""
    entries = [(FOLDER, entry) for entry in json.loads((FOLDER / "metadata.json").read_text(encoding="utf-8"))["files"]]
    known = {info.file for info in imports().series}
    folder = imported_folder()
    for sidecar in sorted(folder.glob("*.json")) if known else []:
        if f"{sidecar.stem}.parquet" in known:
            entries.append((folder, json.loads(sidecar.read_text(encoding="utf-8"))))
    found = []
    for place, entry in entries:
        path = place / entry["file"]
        data = path.read_bytes() if path.is_file() else None
        found.append(
            StoredFile(
                file=entry["file"],
                title=entry["title"],
                kind=Kind(entry["kind"]),
                bytes=None if data is None else len(data),
                sha256=entry["sha256"],
                ok=data is not None and hashlib.sha256(data).hexdigest() == entry["sha256"],
                licence=entry["licence"],
                rights=entry["rights"],
                symbols=tuple(one["name"] for one in entry["series"]),
                first=entry["first"],
                last=entry["last"],
                imported=place != FOLDER,
            )
        )
    return tuple(found)


def overview(
    symbol: str, start: dt.date | None = None, end: dt.date | None = None, source: str = "", rows: int = 5
) -> Overview:
    """What a series of bars, closes or values holds between two days; the default one where ``source`` is empty.

    Raises:
        UnknownSymbol, AmbiguousSeries, DataError, UsageError: as ``catalog.bars``.
    """
    ranges.ordered(start, end)
    if any(info.symbol == symbol and info.kind in _TIMED for info in everything()):
        return _of_trades(symbol, start, end, rows)
    held = _held(symbol, start, end, source)
    info = held.info
    if info is None:
        raise DataError(f"{symbol} comes from no file.", "Only stored series have an overview.", "")
    ranges.overlaps(info, start, end)
    if len(held) == 0:
        raise ranges.why_empty(info, start, end)
    return _of_days(held, info, rows)


def _of_days(held: Bars | Values, info: SeriesInfo, rows: int) -> Overview:
    columns = ("value",) if isinstance(held, Values) else BAR_COLUMNS
    values = held.value if isinstance(held, Values) else held.close
    adjusted = None if isinstance(held, Values) or np.isnan(held.adj_close).any() else held.adj_close
    worst, best, note = _moves(held)
    gaps, extra = _gaps(info, held.date)
    step = max(1, len(held) // SPARK)
    return Overview(
        **_described(info),
        first=str(held.date[0]),
        last=str(held.date[-1]),
        rows=len(held),
        missing=int(np.isnan(values).sum()),
        columns=("date", *columns),
        head=_rows(held, columns, range(min(rows, len(held)))),
        tail=_rows(held, columns, range(max(rows, len(held) - rows), len(held))),
        sketch=tuple((values if adjusted is None else adjusted)[::step].tolist()),
        worst=worst,
        best=best,
        gaps=None if gaps is None else tuple(str(day) for day in gaps[:GAPS]),
        gap_count=None if gaps is None else int(gaps.size),
        extra_count=extra,
        note=note,
        other_sources=tuple(
            f"{one.source} ({one.kind}, {one.adjusted})"
            for one in everything()
            if one.symbol == info.symbol and one is not info and one.kind not in _TIMED
        ),
    )


def _described(info: SeriesInfo) -> dict[str, Any]:
    names = ("symbol", "title", "kind", "source", "adjustment", "units", "frequency", "licence", "rights", "origin")
    return {"adjusted": str(info.adjusted)} | {name: getattr(info, name) for name in names}


def _of_trades(symbol: str, start: dt.date | None, end: dt.date | None, rows: int) -> Overview:
    """Trades or bars within the day: no returns, no comparison with the calendar; days are UTC's."""
    info = catalog.dataset(symbol)
    low = None if start is None else dt.datetime.combine(start, dt.time())
    high = None if end is None else dt.datetime.combine(end + dt.timedelta(days=1), dt.time())
    limit = max(1, rows)
    head = catalog.trades(symbol, low, high, 0, limit)
    tail = catalog.trades(symbol, low, high, max(head.total - limit, 0), limit)
    return Overview(
        **_described(info),
        first=_moment(head.ts_ns[0]),
        last=_moment(tail.ts_ns[-1]),
        rows=head.total,
        missing=0,
        columns=("time (UTC)", *head.columns),
        head=_page(head)[:rows],
        tail=_page(tail)[-rows:] if rows and head.total > rows else (),
        sketch=(),
        worst=None,
        best=None,
        gaps=None,
        gap_count=None,
        extra_count=None,
        note="Single trades have no daily returns.",
        other_sources=(),
    )


def _moment(ts_ns: int) -> str:
    return str(np.datetime64(ts_ns, "ns"))


def _page(page: catalog.TradesTable) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (_moment(ts_ns), *(_text(column[k]) for column in page.columns.values())) for k, ts_ns in enumerate(page.ts_ns)
    )


def _held(symbol: str, start: dt.date | None, end: dt.date | None, source: str) -> Bars | Values:
    known = [info for info in everything() if info.kind not in _TIMED]
    kinds = {info.kind for info in known if info.symbol == symbol and source in ("", info.source)}
    if Kind.BARS in kinds:
        return bundle.bars(symbol, start, end, source, signed=True)
    if Kind.CLOSES in kinds:
        return bundle.closes(symbol, start, end)
    if Kind.SERIES in kinds:
        return bundle.series(symbol, start, end)
    named = [info for info in known if info.symbol == symbol]
    if named:
        raise bundle.UnknownSymbol(source, [info.source for info in named], f"source of {symbol}")
    raise bundle.UnknownSymbol(symbol, sorted({info.symbol for info in known}), "stored series")


def _moves(held: Bars | Values) -> tuple[Move | None, Move | None, str]:
    """The largest fall and rise from day to day; none, and why, where a return means nothing."""
    if held.info is not None and held.info.kind is Kind.SERIES:
        return None, None, "A rate or a figure has no returns."
    if len(held) < 2:
        return None, None, "One day has no return."
    known = held if isinstance(held, Bars) else _present(held)
    try:
        returns = known.returns()
    except DataError as error:
        return None, None, f"{error.what} {error.why}"
    at = (int(returns.argmin()), int(returns.argmax()))
    worst, best = (Move(str(known.date[k + 1]), 100 * float(returns[k])) for k in at)
    return worst, best, ""


def _present(held: Values) -> Values:
    """The days that have a value."""
    there = ~np.isnan(held.value)
    return Values(held.name, held.date[there], held.value[there], held.info)


def _gaps(info: SeriesInfo, dates: bundle.Dates) -> tuple[bundle.Dates | None, int | None]:
    """Sessions since 1970 without a row, and how many rows lie on days without one."""
    first = max(dates[0].item(), calendar.FIRST)
    last = min(dates[-1].item(), calendar.last())
    if info.frequency != "daily" or first > last:
        return None, None
    sessions = calendar.sessions(first, last)
    inside = dates[(dates >= np.datetime64(first, "D")) & (dates <= np.datetime64(last, "D"))]
    return np.setdiff1d(sessions, inside), int(np.setdiff1d(inside, sessions).size)


def _rows(held: Bars | Values, columns: Sequence[str], which: range) -> tuple[tuple[str, ...], ...]:
    arrays = [getattr(held, name) for name in columns]
    return tuple((str(held.date[k]), *(_text(array[k].item()) for array in arrays)) for k in which)


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"
