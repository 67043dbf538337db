"""What an external source sent, taken into the catalogue through the same checks as a user's file."""

import tempfile
from pathlib import Path

import numpy as np

from engines.data import importer
from engines.data.importer import Options, Plan
from engines.data.sources import registry, table_file
from engines.data.sources.source import Request, Table
from engines.wire.bundle_files import Adjustment, Kind
from engines.wire.errors import UsageError

KINDS = {"bars": Kind.BARS, "series": Kind.SERIES}
_ADJUSTED = {  # as each source documents its bars
    "yahoo": Adjustment.SPLITS,
    "alpha_vantage": Adjustment.AS_TRADED,
    "ibkr": Adjustment.SPLITS,
}
_FREQUENCIES = ((4, "daily"), (10, "weekly"), (45, "monthly"), (135, "quarterly"))  # median days between rows, at most


def check(request: Request, simulated: bool) -> None:
    """Nothing where the answer to a request can be in the catalogue.

    Raises:
        UsageError: it is not daily bars or a series, or a simulator's.
    """
    if simulated:
        raise UsageError(
            "What a simulator answers is no market data.",
            "It is shown, not stored.",
            "Leave out --simulate.",
        )
    if request.kind not in KINDS:
        raise UsageError(f"{request.kind} cannot be imported.", "The catalogue takes daily bars and series.", "")
    if request.kind == "bars" and request.extras.get("interval", "1d") != "1d":
        raise UsageError("Only daily bars can be imported.", "The catalogue's bars are days.", "Ask for interval=1d.")


def plan(table: Table, request: Request, name: str, replace: bool) -> Plan:
    """What `importer.store` would store of a table, with its provenance as its origin.

    Raises:
        UsageError: as `check`, or the name is taken.
    """
    seen = table.provenance
    check(request, seen.simulated)
    kind, title = KINDS[request.kind], registry.TITLES[seen.source]
    options = Options(
        symbol=name,
        kind=kind,
        adjusted=Adjustment.NONE if kind is Kind.SERIES else _ADJUSTED[seen.source],
        title=f"{request.key} from {title}",
        units=table.units.get("value" if kind is Kind.SERIES else "close") or "not stated",
        licence=f"not stated; the terms of {title}",
        replace=replace,
        frequency=frequency(table),
        rights=f"Fetched by the user; what may be done with it is {title}'s to say.",
        origin={"package": title, "version": f"{seen.fetched_at:%Y-%m-%d %H:%M} UTC", "path": seen.url},
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{seen.source}.parquet"
        table_file.write(file, table)
        return importer.plan(file, options)


def frequency(table: Table) -> str:
    """By the median number of days between its rows."""
    gaps = np.diff(np.sort(table.columns["date"][~np.isnat(table.columns["date"])])).astype(np.int64)
    if not gaps.size:
        return "daily"
    return next((word for most, word in _FREQUENCIES if np.median(gaps) <= most), "yearly")
