"""What one bundled file is made of: a file inside a published package, and the series that come out of it."""

from dataclasses import dataclass
from enum import StrEnum

SCHEMA = "nautilus.bundle/2"

BARS_COLUMNS = {
    "symbol": "ticker, VARCHAR",
    "date": "trading day, DATE",
    "open": "first price, DOUBLE",
    "high": "highest price, DOUBLE",
    "low": "lowest price, DOUBLE",
    "close": "last price, DOUBLE",
    "adj_close": "close adjusted for later splits and dividends, DOUBLE",
    "volume": "shares traded, BIGINT",
}


class BuildError(Exception):
    """The bundle cannot be built as recorded, or a rebuild differs from what is on disk."""


class Adjustment(StrEnum):
    """What splits and dividends do to a series (the names that engines.wire.bundle reads back)."""

    AS_TRADED = "as-traded"  # prices and volume as they were on the day; adj_close carries splits and dividends
    SPLITS = "split-adjusted"  # prices and volume in today's shares; adj_close carries dividends as well
    SPLITS_AND_DIVIDENDS = "split-and-dividend-adjusted"  # a close that reinvests dividends: returns only, no price
    NONE = "not-applicable"  # an index, a rate, a level: there is nothing to adjust


@dataclass(frozen=True)
class Series:
    """One series of a file: a symbol of bars, or a column of closes or values."""

    name: str
    title: str
    units: str
    adjustment: Adjustment = Adjustment.NONE
    frequency: str = "daily"
    splits: tuple[tuple[str, float], ...] = ()  # ex-date and new shares per old one, undone in the series before it
    extends: str = ""  # the file whose series of that name it continues


@dataclass(frozen=True)
class Source:
    """One file inside one published package, and how it becomes one tidy Parquet file."""

    file: str
    title: str
    kind: str  # bars | closes | series
    registry: str  # pip | npm
    package: str
    version: str
    path: str
    sha256: str
    licence: str
    rights: str
    adjustment: str
    series: tuple[Series, ...]
    values: dict[str, str]  # column of the Parquet file -> expression over the CSV's columns
    options: str = ""  # more words to DuckDB's read_csv
    notice: str = ""  # the licence's text inside the package; empty: it carries none, or the data are public domain

    @property
    def notice_file(self) -> str:
        """Where the bundle keeps that text."""
        return f"licences/{self.package}.md" if self.notice else ""

    @property
    def described_columns(self) -> dict[str, str]:
        """The Parquet file's columns in words."""
        if self.kind == "bars":
            return BARS_COLUMNS
        return {"date": "day, or first day of the month or quarter, DATE"} | {
            one.name: f"{one.title}, {one.units}, DOUBLE, null where the source has none" for one in self.series
        }
