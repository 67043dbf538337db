"""The fleet's journal: what was started, ended, asked and decided, one JSON object a line, fsynced in groups."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from engines.fleet.boot import Step
from engines.fleet.process import Exit, Identity, boot_id

_KEEP = 8 * 1024 * 1024  # bytes before a new supervisor sets the journal aside


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.  `at`: Unix seconds; `unit`: the engine, bus, zygote or supervisor it is about."""

    at: float = 0.0
    what: str  # boot, started, ended, state, crash, booted, warning, refused, asked, closed
    unit: str = ""
    identity: Identity | None = None
    exit: Exit | None = None
    state: str = ""
    detail: str = ""
    boot: str = ""  # the machine's boot, on `boot` entries
    who: str = ""  # who asked: uid and pid
    path: str = ""  # a crash's bundle
    steps: tuple[Step, ...] = ()  # of a boot that is over


class Journal:
    """Append-only; `commit` makes everything written so far durable."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        if path.exists() and path.stat().st_size > _KEEP:
            path.replace(path.with_suffix(".jsonl.1"))
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._clock = clock
        self._dirty = False

    def write(self, entry: Entry) -> None:
        """Append an entry, stamped: in the page cache at once (a kill keeps it), on disk after `commit`."""
        stamped = msgspec.structs.replace(entry, at=round(self._clock(), 6))
        os.write(self._file, msgspec.json.encode(stamped) + b"\n")
        self._dirty = True

    def commit(self) -> None:
        """Wait for the disk, when there is something to wait for."""
        if self._dirty:
            os.fsync(self._file)
            self._dirty = False

    def close(self) -> None:
        """Make durable and close."""
        self.commit()
        os.close(self._file)


def read(path: Path) -> list[Entry]:
    """All whole entries; a line cut short by a crash is left out."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_bytes().split(b"\n"):
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return entries


def unended(entries: list[Entry], boot: str | None = None) -> dict[Identity, str]:
    """Identities that were started and not seen to end, in this boot of the machine, with their unit's name."""
    here = boot_id() if boot is None else boot
    left: dict[Identity, str] = {}
    current = True
    for entry in entries:
        if entry.what == "boot":
            current = entry.boot == here
        elif entry.what == "started" and entry.identity is not None and current:
            left[entry.identity] = entry.unit
        elif entry.what == "ended" and entry.identity is not None:
            left.pop(entry.identity, None)
    return left
