"""Checking the rows of a user's file, one by one: every bad row is reported with its number.  Pure.

A problem refuses the file; a flag is legal but worth knowing, as a negative price is (WTI, 20 April 2020).
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engines.wire.bundle_files import Kind

MISSING = frozenset({"", ".", "na", "nan", "null", "none", "n/a"})
PRICES = ("open", "high", "low", "close", "adj_close", "price", "value")
# columns that each kind needs, then those that it may have
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.BARS: ("date", "open", "high", "low", "close"),
    Kind.CLOSES: ("date", "close"),
    Kind.SERIES: ("date", "value"),
    Kind.TRADES: ("time", "price", "size"),
    Kind.INTRADAY: ("time", "open", "high", "low", "close"),
}
OPTIONAL: Mapping[Kind, tuple[str, ...]] = {
    Kind.BARS: ("adj_close", "volume"),
    Kind.CLOSES: (),
    Kind.SERIES: (),
    Kind.TRADES: (),
    Kind.INTRADAY: ("volume",),
}


@dataclass(frozen=True, order=True)
class Finding:
    """Something about one row; ``row`` counts the file's lines from 1, its header included."""

    row: int
    column: str
    text: str

    def __str__(self) -> str:
        """As a line of a report."""
        return f"row {self.row}, {self.column}: {self.text}"


@dataclass(frozen=True)
class RawRow:
    """One row as the file gives it: texts by canonical column name."""

    number: int
    cells: Mapping[str, str]


@dataclass
class Checked:
    """What came of a file's rows: numbers by column (dates and times first), problems and flags."""

    moments: list[dt.datetime]  # of the rows that have one; clock times of the file's zone
    columns: dict[str, list[float]]
    rows: int = 0
    problems: list[Finding] = field(default_factory=list)
    flags: list[Finding] = field(default_factory=list)


def moment_format(texts: Sequence[str], formats: Sequence[str]) -> tuple[str, bool]:
    """The format that most texts have, and whether another one fits them all as well (01/02/2020).

    Order decides between formats that fit equally many.
    """
    fits = Counter({form: sum(_parsed(text, form) is not None for text in texts) for form in formats})
    best = max(formats, key=lambda form: fits[form])
    rivals = [
        form
        for form in formats
        if form != best and fits[form] == fits[best] > 0 and any(_parsed(t, form) != _parsed(t, best) for t in texts)
    ]
    return best, bool(rivals)


def _parsed(text: str, form: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, form)  # noqa: DTZ007 - the zone is told by the importer
    except ValueError:
        return None


def check(
    rows: Iterable[RawRow], kind: Kind, names: Sequence[str], moment: Callable[[str], dt.datetime | None]
) -> Checked:
    """Every row against the rules of its kind.

    ``names``: the columns beside the date or time that the file has.  ``moment`` reads a date or time in the file's
    one format, None where a text has another.
    """
    clock = NEEDED[kind][0]
    out = Checked([], {name: [] for name in names})
    last: dt.datetime | None = None
    seen: set[dt.datetime] = set()
    for row in rows:
        when = moment(row.cells.get(clock, ""))
        if when is None:
            out.problems.append(Finding(row.number, clock, f"{row.cells.get(clock, '')!r} is not like the other rows'"))
        else:
            out.problems += _order(row.number, clock, when, last, seen, kind)
            last = when if last is None else max(last, when)
            seen.add(when)
            out.moments.append(when)
        numbers = {name: _number(row, name, kind, out.problems) for name in names}
        out.problems += _shape(row.number, numbers, kind)
        out.flags += [
            Finding(row.number, name, f"{numbers[name]:g} is negative")
            for name in names
            if name in PRICES and numbers[name] < 0 and kind is not Kind.SERIES
        ]
        for name in names:
            out.columns[name].append(numbers[name])
        out.rows += 1
    return out


def _order(
    number: int, clock: str, when: dt.datetime, last: dt.datetime | None, seen: set[dt.datetime], kind: Kind
) -> list[Finding]:
    if kind is not Kind.TRADES and when in seen:
        return [Finding(number, clock, f"{_text(when)} is there twice")]
    if last is not None and when < last:
        return [Finding(number, clock, f"{_text(when)} comes after {_text(last)}: not in order")]
    return []


def _text(when: dt.datetime) -> str:
    return str(when.date()) if when.time() == dt.time() else str(when)


def _number(row: RawRow, name: str, kind: Kind, problems: list[Finding]) -> float:
    text = row.cells.get(name, "").strip()
    if text.lower() in MISSING:
        if kind is not Kind.SERIES and name != "adj_close":
            problems.append(Finding(row.number, name, "there is no number" if not text else f"{text!r} is no number"))
        return math.nan
    try:
        value = float(text)
    except ValueError:
        problems.append(Finding(row.number, name, f"{text!r} is no number"))
        return math.nan
    if not math.isfinite(value):
        problems.append(Finding(row.number, name, f"{text!r} is not finite"))
    elif name in ("volume", "size") and value < 0:
        problems.append(Finding(row.number, name, f"{text} is negative"))
    elif name in ("volume", "size") and value != int(value):
        problems.append(Finding(row.number, name, f"{text} is no whole number"))
    return value


def _shape(number: int, numbers: Mapping[str, float], kind: Kind) -> list[Finding]:
    """A bar's high is its highest price, its low the lowest; a trade has a size."""
    if kind is Kind.TRADES:
        return [Finding(number, "size", "0 is no trade")] if numbers["size"] == 0 else []
    if kind not in (Kind.BARS, Kind.INTRADAY):
        return []
    found = []
    high, low = numbers["high"], numbers["low"]
    if high < low:
        found.append(Finding(number, "high", f"{high:g} is below the low {low:g}"))
    else:
        found += [
            Finding(number, name, f"{numbers[name]:g} is outside low {low:g} to high {high:g}")
            for name in ("open", "close")
            if numbers[name] > high or numbers[name] < low
        ]
    return found
