"""Putting one Parquet file and its metadata into the folder of imports, whole or not at all."""

import contextlib
import datetime as dt
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from engines.wire.bundle_files import Kind, SeriesInfo, bundled, imported_folder, read_entry
from engines.wire.errors import DataError, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
Facts = dict[str, object]


def free_name(name: str, replace: bool) -> None:
    """Nothing where ``name`` may be stored under.

    Raises:
        UsageError: it is no name for a file, it is bundled, or an import has it already.
    """
    if NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} is no name for a series.", "Letters, digits, dot, dash and underscore; 32 at most.", ""
        )
    if name in {info.symbol for info in bundled()}:
        raise UsageError(
            f"{name} is in the bundle.",
            "An import never hides bundled data.",
            f"Import it under another name, {name}.USER for instance.",
        )
    if (imported_folder() / f"{name}.json").exists() and not replace:
        raise UsageError(f"{name} was imported before.", "", "Add --replace to take the new file instead.")


def put(
    name: str, write: Callable[[Path], None], entry: Callable[[Path], Mapping[str, object]]
) -> tuple[SeriesInfo, ...]:
    """Write a Parquet file beside its place, describe it, and move both there; the metadata comes last.

    ``write`` fills the path it is given; ``entry`` describes what lies there (without ``file``).  A crash leaves
    at worst a file without metadata, which nothing reads and the next import replaces.

    Raises:
        DataError: the folder cannot be written.
    """
    folder = imported_folder()
    part, sidecar_part = folder / f".{name}.parquet.part", folder / f".{name}.json.part"
    final, sidecar = folder / f"{name}.parquet", folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(part)
        document = {"file": final.name, **entry(part)}
        sidecar_part.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for path in (part, sidecar_part):
            _synced(path)
        sidecar.unlink(missing_ok=True)
        part.replace(final)
        sidecar_part.replace(sidecar)
        _synced(folder)
    except OSError as error:
        raise DataError(f"{name} could not be stored.", f"{error.filename}: {error.strerror}.", "") from None
    finally:
        for path in (part, sidecar_part):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    return read_entry(folder, document)


def series_facts(name: str, title: str, facts: Mapping[str, object]) -> Facts:
    """One series of an entry; ``facts`` gives units, frequency, adjustment, rows, missing, first, last."""
    return {"name": name, "title": title, **facts}


def described(kind: Kind, origin: Mapping[str, str], words: Mapping[str, str], series: Facts, path: Path) -> Facts:
    """An entry of the same shape as the bundle's; ``words``: title, licence, rights, adjustment, sha256_source."""
    import hashlib

    data = path.read_bytes()
    return {
        "title": words["title"],
        "kind": str(kind),
        "origin": dict(origin),
        "licence": words["licence"],
        "rights": words["rights"],
        "adjustment": words["adjustment"],
        "series": [series],
        "rows": series["rows"],
        "first": series["first"],
        "last": series["last"],
        "bytes": len(data),
        "sha256_source": words["sha256_source"],
        "sha256": hashlib.sha256(data).hexdigest(),
        "stored_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
