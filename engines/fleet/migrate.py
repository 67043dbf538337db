"""The version of a fleet's state folder: an older one is carried over, a newer one is refused.

`schema.json` holds the number.  A folder without it and with a journal is of version 1.
Version 2: requests of operators are in `audit.jsonl`, where version 1 had them in the journal only; they are copied.
"""

import datetime
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from engines.fleet import audit, journal
from engines.fleet.folders import Folders
from engines.wire.errors import NautilusError
from engines.wire.version import VERSION

CURRENT = 2


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """`schema.json`: the state's version, and the product's that wrote it last."""

    state: int
    written_by: str = ""


def carry_over(where: Folders) -> int:
    """Bring a state folder up to `CURRENT`; the caller holds its lock.

    Each step may be repeated after a crash.

    Returns:
        the version that was found; `CURRENT` for a new folder.

    Raises:
        NautilusError: it is of a newer version, or its number cannot be read.
    """
    found = version(where)
    if found > CURRENT:
        wrote = _read(where).written_by or "a newer version"
        raise NautilusError(
            f"The fleet's state in {where.state} is of a newer version than this nautilus.",
            f"It is version {found}, written by nautilus {wrote}; this one ({VERSION}) knows {CURRENT}.",
            "Use that nautilus, or another folder: export NAUTILUS_HOME=FOLDER",
        )
    for number in range(found, CURRENT):
        STEPS[number](where)
    if found != CURRENT or not _path(where).exists():
        _write(where, Schema(state=CURRENT, written_by=VERSION))
    return found


def version(where: Folders) -> int:
    """The version of a folder's state; that of a new one is `CURRENT`."""
    if _path(where).exists():
        return _read(where).state
    return 1 if where.journal.exists() else CURRENT


def _requests_into_audit(where: Folders) -> None:
    """1 to 2: what the journal knows of operators' requests.  Entries that are there already are not repeated."""
    known = {(entry.at, entry.op, entry.pid) for entry in audit.read(where.audit)}
    for entry in journal.read(where.journal):
        if entry.what != "asked":
            continue
        words = entry.who.split()  # "uid 1000 pid 42"
        uid, pid = (int(words[1]), int(words[3])) if len(words) == 4 else (None, None)
        op, _, detail = entry.detail.partition(" ")
        at = datetime.datetime.fromtimestamp(entry.at, datetime.UTC).isoformat(timespec="milliseconds")
        if (at, op, pid) not in known:
            audit.append(where.audit, audit.Entry(at=at, op=op, outcome="", uid=uid, pid=pid, detail=detail))


STEPS: Mapping[int, Callable[[Folders], None]] = {1: _requests_into_audit}


def _path(where: Folders) -> Path:
    return where.state / "schema.json"


def _read(where: Folders) -> Schema:
    try:
        return msgspec.json.decode(_path(where).read_bytes(), type=Schema)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NautilusError(
            f"{_path(where)} cannot be understood.", str(error), "Restore it, or move that folder aside."
        ) from error


def _write(where: Folders, schema: Schema) -> None:
    fresh = _path(where).with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(schema) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(_path(where))
