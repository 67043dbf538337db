"""What market data lie in files: the bundle's, then the user's imports, each described by metadata beside it.

The bundle is ``engines/marketdata/bundle`` with one ``metadata.json``; an import is
``<home>/data/imported/<name>.parquet`` with ``<name>.json``, one entry of the same shape.
"""

import datetime as dt
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from engines.wire.errors import DataError
from engines.wire.settings import home

FOLDER = Path(__file__).resolve().parent.parent / "marketdata" / "bundle"
REBUILD = "python scripts/build_bundle.py"


class Kind(StrEnum):
    """What a series holds on a day."""

    BARS = "bars"  # open, high, low, close, adjusted close, volume
    CLOSES = "closes"  # one close
    SERIES = "series"  # one value that is no price of a symbol: a rate, a factor, a macro figure
    TRADES = "trades"  # single trades of one symbol; only imported or pulled, as INTRADAY
    INTRADAY = "intraday"  # bars within the day


class Adjustment(StrEnum):
    """What splits and dividends do to a series."""

    AS_TRADED = "as-traded"  # prices and volume of the day; adj_close carries splits and dividends
    SPLITS = "split-adjusted"  # prices and volume in the shares of the file's end; adj_close carries dividends too
    SPLITS_AND_DIVIDENDS = "split-and-dividend-adjusted"  # for returns only: no price that anyone paid
    NONE = "not-applicable"  # an index, a rate: nothing to adjust
    NOT_STATED = "not-stated"  # a user's file whose importer did not say


@dataclass(frozen=True)
class Split:
    """From ``date`` on, one old share is ``ratio`` new ones."""

    date: dt.date
    ratio: float


@dataclass(frozen=True, eq=False)
class SeriesInfo:
    """One series: what it holds, where it comes from, under which terms.  There is one object of each per process."""

    symbol: str  # or the series' name
    rows: int
    first: dt.date
    last: dt.date
    file: str
    title: str
    origin: str  # package, version and path inside it, or the user's file
    licence: str  # as stated by the origin
    adjustment: str  # in words
    kind: Kind = Kind.BARS
    source: str = ""  # the package, or "user file": what tells two series of one symbol apart
    adjusted: Adjustment = Adjustment.AS_TRADED
    units: str = ""
    frequency: str = "daily"
    missing: int = 0  # rows without a value
    splits: tuple[Split, ...] = ()  # undone in a split-adjusted series, oldest first
    rights: str = ""
    sha256: str = ""
    folder: Path = FOLDER
    after: dt.date | None = None  # this series continues another one after that day
    rows_after: int = 0
    parts: tuple["SeriesInfo", ...] = ()  # the series that this one is read from, in date order; empty: itself

    @property
    def path(self) -> Path:
        """Where the Parquet file lies."""
        return self.folder / self.file

    @property
    def imported(self) -> bool:
        """Whether the user brought it."""
        return self.folder != FOLDER

    def split_factor(self, day: dt.date) -> float:
        """Shares of the file's end per share of that day, so that price as traded = price x factor; 1 by default."""
        factor = 1.0
        for split in self.splits:
            if day < split.date:
                factor *= split.ratio
        return factor


def read_entry(folder: Path, entry: dict[str, Any]) -> tuple[SeriesInfo, ...]:
    """The series of one file's metadata (whose shape scripts/bundle/write.py defines).

    Raises:
        KeyError, ValueError: a field is missing or no date.
    """
    origin = entry["origin"]
    source = origin.get("package", "user file")
    where = f"{source} {origin['version']}: {origin['path']}" if "package" in origin else f"user file: {origin['path']}"
    return tuple(
        SeriesInfo(
            symbol=one["name"],
            rows=one["rows"],
            first=dt.date.fromisoformat(one["first"]),
            last=dt.date.fromisoformat(one["last"]),
            file=entry["file"],
            title=one["title"],
            origin=where,
            licence=entry["licence"],
            adjustment=entry["adjustment"],
            kind=Kind(entry["kind"]),
            source=source,
            adjusted=Adjustment(one["adjustment"]),
            units=one["units"],
            frequency=one["frequency"],
            missing=one["missing"],
            splits=tuple(Split(dt.date.fromisoformat(s["date"]), s["ratio"]) for s in one.get("splits", ())),
            rights=entry["rights"],
            sha256=entry["sha256"],
            folder=folder,
            after=dt.date.fromisoformat(one["extends"]["after"]) if "extends" in one else None,
            rows_after=one["extends"]["rows"] if "extends" in one else 0,
        )
        for one in entry["series"]
    )


def _joined(first: SeriesInfo, second: SeriesInfo) -> SeriesInfo:
    """A series and the one that goes on where it ends; same units, same adjustment, equal where both have days."""
    return replace(
        first,
        rows=first.rows + second.rows_after,
        last=second.last,
        origin=f"{first.origin}; after {second.after}: {second.origin}",
        licence=f"{first.licence}; {second.licence}",
        adjustment=f"{first.adjustment} After {second.after}: {second.adjustment}",
        source=f"{first.source}+{second.source}",
        parts=(first, second),
    )


@lru_cache(maxsize=1)
def bundled() -> tuple[SeriesInfo, ...]:
    """Every series of the bundle in the order of ``metadata.json``; a joined series comes before its parts."""
    metadata = json.loads((FOLDER / "metadata.json").read_text(encoding="utf-8"))
    found: list[SeriesInfo] = []
    for entry in metadata["files"]:
        for info in read_entry(FOLDER, entry):
            if info.after is not None:
                place = next(k for k, one in enumerate(found) if one.symbol == info.symbol and one.last == info.after)
                found.insert(place, _joined(found[place], info))
            found.append(info)
    return tuple(found)


@dataclass(frozen=True)
class Imports:
    """The user's series, and what is wrong with files of the folder that are not among them."""

    series: tuple[SeriesInfo, ...]
    problems: tuple[str, ...]


def imported_folder() -> Path:
    """Where imports lie; it may not exist."""
    return home() / "data" / "imported"


def imports() -> Imports:
    """The user's imports, read again when a file was added to or taken from the folder."""
    folder = imported_folder()
    try:
        stamp = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return Imports((), ())
    return _imports(folder, stamp)


@lru_cache(maxsize=4)
def _imports(folder: Path, stamp: int) -> Imports:  # noqa: ARG001 (the folder's time stamp is the cache's key)
    names = {info.symbol for info in bundled()}
    series: list[SeriesInfo] = []
    problems: list[str] = []
    for sidecar in sorted(folder.glob("*.json")):
        try:
            found = read_entry(folder, json.loads(sidecar.read_text(encoding="utf-8")))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{sidecar.name} is no metadata of an import: {error!r}")
            continue
        taken = sorted({info.symbol for info in found} & names)
        if taken:
            problems.append(f"{sidecar.name} is ignored: {', '.join(taken)} is taken; import it under another name")
            continue
        series.extend(found)
        names |= {info.symbol for info in found}
    return Imports(tuple(series), tuple(problems))


def everything() -> tuple[SeriesInfo, ...]:
    """Every series: the bundle's, then the user's."""
    return bundled() + imports().series


@lru_cache(maxsize=256)
def _verified(path: Path, sha256: str, imported: bool) -> Path:
    import hashlib

    again = "Import it again: nautilus data import FILE" if imported else f"Run: {REBUILD}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read.", f"{path}: {error.strerror}.", again) from None
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        why = f"Its sha256 is {found[:12]}..., its metadata states {sha256[:12]}...: the file was changed or cut short."
        raise DataError(f"{path.name} is not the file that was built.", why, again)
    return path


def verified(info: SeriesInfo) -> Path:
    """The series' Parquet file, compared with its recorded sha256 once per process.

    Raises:
        DataError: it is missing or has other bytes.
    """
    return _verified(info.path, info.sha256, info.imported)
