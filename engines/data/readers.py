"""The files that an import takes: CSV, Parquet, and zips of CSV as LEAN lays them out; all give the same raw rows."""

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.data.rows import NEEDED, OPTIONAL, RawRow
from engines.wire.bundle_files import Kind
from engines.wire.errors import DataError, UsageError

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "day", "time", "datetime", "timestamp", "observation_date"),
    "time": ("time", "datetime", "timestamp", "date", "ts"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "last", "c", "price", "value"),
    "adj_close": ("adj_close", "adj close", "adjclose", "adjusted", "adjusted_close", "adjusted close"),
    "volume": ("volume", "vol", "v"),
    "price": ("price", "last", "p"),
    "size": ("size", "volume", "qty", "quantity", "amount"),
    "value": ("value", "close", "price"),
}
LEAN_SCALE = 10_000
_LEAN_DAILY = ("date", "open", "high", "low", "close", "volume")
_LEAN_MINUTE = ("time", "open", "high", "low", "close", "volume")
_LEAN_TICK = ("time", "price", "size")
_STAMPED = re.compile(r"^(\d{8})_.*?(minute|second|tick)?_?(trade)?(?:_\w+)?\.csv$")


@dataclass(frozen=True)
class RawTable:
    """A file's rows under canonical column names, and what its layout says about it."""

    kind: Kind
    names: tuple[str, ...]  # beside the date or time
    rows: list[RawRow]
    formats: tuple[str, ...] = ()  # what dates may look like; empty: try them all
    zone: str = ""  # what the layout says about its clock


def read(path: Path, kind: Kind | None, column: str = "") -> RawTable:
    """The rows of a CSV, Parquet or LEAN zip file.

    ``kind`` None: trades where there is a size and no open, bars where there is an open, else closes.  ``column`` names
    the value column of a file with several.

    Raises:
        DataError: no such file, or nothing in it.
        UsageError: an unknown layout, or a column that is needed and not there.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.", "", "Give a CSV, Parquet or LEAN zip file.")
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _lean(path)
    if suffix not in (".csv", ".txt", ".parquet"):
        raise UsageError(
            f"{path.name} is no file that can be imported.", "", "Give a .csv, .parquet or LEAN .zip file."
        )
    header, lines = _parquet(path) if suffix == ".parquet" else _csv(path.read_text(encoding="utf-8-sig"))
    if not lines:
        raise DataError(f"{path.name} holds no rows.", "", "Give a file with a header and rows.")
    return _mapped(path, header, lines, kind, column)


def _csv(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    reader = csv.reader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    header: list[str] = []
    lines: list[tuple[int, list[str]]] = []
    for cells in reader:
        if not cells:
            continue
        if not header:
            header = [cell.strip() for cell in cells]
        else:
            lines.append((reader.line_num, cells))
    return header, lines


def _parquet(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Rows as texts, so that one set of checks serves all layouts; the first row counts as 1."""
    import duckdb

    with duckdb.connect() as db:
        try:
            cursor = db.execute("SELECT * FROM read_parquet(?)", [str(path)])
        except duckdb.Error as error:
            raise DataError(f"{path.name} is no Parquet file.", str(error), "Give another file.") from None
        header = [str(one[0]) for one in cursor.description or ()]
        rows = cursor.fetchall()
    return header, [(k, ["" if v is None else str(v) for v in row]) for k, row in enumerate(rows, start=1)]


def _mapped(
    path: Path, header: Sequence[str], lines: Sequence[tuple[int, list[str]]], kind: Kind | None, column: str
) -> RawTable:
    lower = [name.lower() for name in header]
    chosen = kind or _guessed(lower)
    place: dict[str, int] = {}
    for name in (*NEEDED[chosen], *OPTIONAL[chosen]):
        known = (column.lower(),) if column and name in ("close", "value", "price") else _ALIASES[name]
        at = next((lower.index(alias) for alias in known if alias in lower), None)
        if at is None and name in ("close", "value") and not column and len(lower) == 2 and chosen is not Kind.BARS:
            at = 1 - place["date"]  # a date and one other column, whatever its name
        if at is not None:
            place[name] = at
    lacking = [name for name in NEEDED[chosen] if name not in place]
    if lacking:
        raise UsageError(
            f"{path.name} has no column {', '.join(lacking)}, which {chosen} need.",
            f"Its columns: {', '.join(header)}.",
            "Rename the column, give --kind, or name it with --column.",
        )
    rows = [
        RawRow(number, {name: cells[at].strip() for name, at in place.items() if at < len(cells)})
        for number, cells in lines
    ]
    return RawTable(chosen, tuple(name for name in place if name not in ("date", "time")), rows)


def _guessed(lower: Sequence[str]) -> Kind:
    if "open" in lower:
        return Kind.BARS
    sized = any(name in lower for name in ("size", "qty", "quantity", "volume"))
    return Kind.TRADES if sized and any(name in lower for name in ("price", "last")) else Kind.CLOSES


def _lean(path: Path) -> RawTable:
    """LEAN's zips: prices x 10,000; days as ``yyyymmdd hh:mm``, else milliseconds since midnight of the file's day."""
    try:
        with zipfile.ZipFile(path) as archive:
            (member,) = [name for name in archive.namelist() if name.endswith(".csv")]
            text = archive.read(member).decode()
    except (zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"{path.name} is no LEAN file.", f"It must hold one CSV file: {error}.", "") from None
    lines = [(number, cells) for number, cells in enumerate(csv.reader(io.StringIO(text)), start=1) if cells]
    if not lines:
        raise DataError(f"{path.name} holds no rows.", "", "")
    zone = "America/New_York"
    if " " in lines[0][1][0]:
        rows = [_lean_row(number, _LEAN_DAILY, cells, "") for number, cells in lines]
        return RawTable(Kind.BARS, _LEAN_DAILY[1:], rows, ("%Y%m%d %H:%M",), zone)
    stamped = _STAMPED.match(Path(member).name)
    if stamped is None:
        why = "Rows in milliseconds need their day in the name: yyyymmdd_symbol_minute_trade.csv."
        raise DataError(f"{member} does not say its day.", why, "")
    ticks = "tick" in member.lower()
    names = _LEAN_TICK if ticks else _LEAN_MINUTE
    rows = [_lean_row(number, names, cells, stamped[1]) for number, cells in lines]
    return RawTable(Kind.TRADES if ticks else Kind.INTRADAY, names[1:], rows, ("%Y%m%d %H:%M:%S.%f",), zone)


def _lean_row(number: int, names: Sequence[str], cells: Sequence[str], day: str) -> RawRow:
    found = dict(zip(names, (cell.strip() for cell in cells), strict=False))
    if day:
        found["time"] = _clock(day, found.get("time", ""))
    for name in ("open", "high", "low", "close", "price"):
        if name in found:
            found[name] = _unscaled(found[name])
    return RawRow(number, found)


def _clock(day: str, milliseconds: str) -> str:
    """A clock time of the day; the text itself where it is no number of milliseconds, for the check to refuse."""
    try:
        since = dt.timedelta(milliseconds=float(milliseconds))
    except ValueError:
        return milliseconds
    whole = dt.datetime.strptime(day, "%Y%m%d") + since  # noqa: DTZ007 - the layout's zone is told beside it
    return whole.strftime("%Y%m%d %H:%M:%S.%f")


def _unscaled(text: str) -> str:
    try:
        return repr(float(text) / LEAN_SCALE)
    except ValueError:
        return text
