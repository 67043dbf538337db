"""One mission per fleet: a lock on its state folder that says who has it.  One run folder per mission."""

import contextlib
import fcntl
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engines.fleet.process import Identity
from engines.wire.errors import NautilusError

LOCK = "mission.lock"


class Holder(msgspec.Struct, frozen=True):
    """Who flies a mission on a fleet; `since`: UTC, ISO 8601."""

    process: Identity
    run: str
    since: str


class FleetTaken(NautilusError):
    """Another mission is on this fleet."""


@contextlib.contextmanager
def claimed(state: Path, holder: Holder) -> Iterator[None]:
    """Inside, no other mission gets the fleet whose state folder this is; the kernel lets go when the process ends.

    Raises:
        FleetTaken: another one has it.
    """
    path = state / LOCK
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(path) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, msgspec.json.encode(holder), 0)
        yield
    finally:
        os.close(lock)


def _taken(path: Path) -> FleetTaken:
    try:
        other = msgspec.json.decode(path.read_bytes(), type=Holder)
    except msgspec.DecodeError:
        return FleetTaken("Another mission is on this fleet.", "It has just begun.", "nautilus stress status")
    return FleetTaken(
        "Another mission is on this fleet.",
        f"Process {other.process.pid} has had it since {other.since}; its run is {other.run}.",
        f"Wait for it, or end it: nautilus stress stop {other.run}",
    )


@contextlib.contextmanager
def run_folder(root: Path, name: str) -> Iterator[Path]:
    """A run folder that no other mission has, `name` or the first of `name-2`, `name-3`, ...; gone if left empty."""
    root.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = (root / (name if number == 1 else f"{name}-{number}")).absolute()
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            break
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # there are records in it
            folder.rmdir()
