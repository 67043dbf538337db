"""A table as a file, Parquet or CSV, whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engines.data.sources.source import Table
from engines.wire.errors import DataError, UsageError

SUFFIXES = (".csv", ".parquet")


def check(path: Path, force: bool) -> None:
    """Nothing where a table may be written.

    Raises:
        UsageError: the file's name says no format, its folder is not there, or something is and ``force`` is not given.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} names no format.", "Its ending says which.", "End it in .csv or .parquet.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {path.absolute().parent}.", "", "Make it, or give another file.")
    if path.is_dir() or (path.exists() and not force):
        raise UsageError(f"{path} is there already.", "It is not overwritten.", "Give another file, or add --force.")


def export(path: Path, table: Table) -> None:
    """Write a table in the format of its ending.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        with temporary(path.absolute().parent, path.suffix) as part:
            write(part, table)
            settle(part, path.absolute())
    except OSError as error:
        raise DataError(f"{path} cannot be written.", f"{error.strerror or error}.", "Give another file.") from None


def write(path: Path, table: Table) -> None:
    """The columns as Parquet, or as CSV where the name ends so: days as DATE, what is missing as NULL."""
    import duckdb

    columns, chosen = {}, []
    for number, (name, column) in enumerate(table.columns.items()):
        quoted = '"' + name.replace('"', '""') + '"'
        day = column.dtype == np.dtype("datetime64[D]")
        columns[f"c{number}"] = column.astype("datetime64[us]") if day else column
        kind = "::DATE" if day else "::VARCHAR" if column.dtype.kind == "O" else ""
        chosen.append(f"c{number}{kind} AS {quoted}")
    form = "FORMAT csv, HEADER" if path.suffix.lower() == ".csv" else "FORMAT parquet"
    with duckdb.connect() as db:
        db.register("rows_", columns)
        db.execute(f"COPY (SELECT {', '.join(chosen)} FROM rows_) TO '{_sql(path)}' ({form})")  # noqa: S608 # names are quoted


@contextlib.contextmanager
def temporary(folder: Path, suffix: str) -> Iterator[Path]:
    """A name beside the target that is gone afterwards, whatever happened."""
    path = folder / f".{os.getpid()}-{os.urandom(4).hex()}{suffix}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def settle(part: Path, target: Path) -> None:
    """Make a finished file durable under its name."""
    _sync(part, os.O_RDONLY)
    part.replace(target)
    _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sql(path: Path) -> str:
    return str(path).replace("'", "''")


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
