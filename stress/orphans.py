"""The private fleet of a mission whose own process is gone: found, and ended for good."""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from engines.fleet import api, folders, journal, process
from engines.fleet.errors import TimedOut
from engines.fleet.folders import Folders
from engines.fleet.process import Identity
from engines.wire.errors import NautilusError
from stress.place import NAME

END_S = 30.0
_LOOK_S = 0.1


def left(home: Path) -> list[Identity]:
    """Every process that still belongs to the mission fleet under `home`."""
    where = folders.of(NAME, home)
    if not where.state.is_dir():
        return []
    entries = journal.read(where.journal)
    known = {*journal.unended(entries), *_supervisors(entries), *process.members(where.state)}
    return sorted((each for each in known if process.alive(each)), key=lambda each: each.pid)


def end(home: Path, within_s: float = END_S) -> list[Identity]:
    """End the mission fleet under `home`, in whatever state its owner left it; returns what ran.

    Raises:
        TimedOut: something still runs.
    """
    where = folders.of(NAME, home)
    found = left(home)
    until = time.monotonic() + within_s
    remains = found
    while remains:
        if time.monotonic() > until:
            pids = ", ".join(str(each.pid) for each in remains)
            raise TimedOut(f"The fleet under {home} did not end.", f"Still there: {pids}.", f"kill -9 {pids}")
        _unfreeze(where)
        with contextlib.suppress(NautilusError, OSError):  # it may just be starting or ending: look again
            api.down(NAME, True, home=home, timeout=max(0.1, until - time.monotonic()))
        time.sleep(_LOOK_S)
        remains = left(home)
    return found


def _supervisors(entries: list[journal.Entry]) -> Iterator[Identity]:
    here = process.boot_id()
    return (e.identity for e in entries if e.what == "boot" and e.boot == here and e.identity is not None)


def _unfreeze(where: Folders) -> None:
    """A supervisor that a fault has stopped answers nobody: it goes on, so that it can be told to end."""
    for each in _supervisors(journal.read(where.journal)):
        if process.stopped(each.pid):
            process.send(each, signal.SIGCONT)
