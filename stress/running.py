"""What a running mission says of itself in its run folder: `nautilus stress status`, `stop` and `heal` read it.

`running.json` is replaced as a whole at each phase and about once a second, and removed once the run is sealed.  One
whose process is gone belongs to a run that was cut short.
"""

import contextlib
import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from engines.fleet import process
from engines.fleet.process import Identity
from stress.progress import Listener, Progress

STATE = "running.json"
EVERY_S = 1.0
STOP_S = 120.0  # from the word to a sealed run: a fleet's grace, and rendering


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A mission under way.  `begun`: UTC, ISO 8601; `boot` tells the machine's boots apart.

    `writer` writes the history and ends after the mission; `home` and `fleet` say where its fleet's state is.
    """

    run_id: str
    mission: str
    title: str
    process: Identity
    writer: Identity | None
    boot: str
    begun: str
    phase: str
    elapsed_s: float
    planned_s: float
    home: str
    fleet: str
    attached: bool

    @property
    def alive(self) -> bool:
        """The mission's own process still runs."""
        return self.boot == process.boot_id() and process.alive(self.process)

    @property
    def written(self) -> bool:
        """Nobody writes its history any more."""
        return self.writer is None or self.boot != process.boot_id() or not process.alive(self.writer)


class Beacon:
    """A listener that hands everything on and keeps `running.json` up to date."""

    def __init__(
        self, folder: Path, state: Running, on_progress: Listener, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = folder / STATE
        self._state = state
        self._on_progress = on_progress
        self._clock = clock
        self._at = clock()
        write(self._path, state)

    def __call__(self, progress: Progress) -> None:
        """Hand it on, and write down where the mission is."""
        self._on_progress(progress)
        now = self._clock()
        if progress.phase == self._state.phase and now - self._at < EVERY_S:
            return
        self._at = now
        self._state = msgspec.structs.replace(
            self._state, phase=progress.phase, elapsed_s=round(progress.done_s, 3), planned_s=round(progress.total_s, 3)
        )
        with contextlib.suppress(OSError):  # a full disk may be the mission's own fault: what stands there stays
            write(self._path, self._state)

    def close(self) -> None:
        """The run is sealed: it is no longer running."""
        self._path.unlink(missing_ok=True)


def me() -> Identity:
    """This process."""
    found = process.identify(os.getpid())
    return found if found is not None else Identity(os.getpid(), 0)


def utc_now() -> str:
    """Now, in seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write(path: Path, state: Running) -> None:
    """Replace the file, at once or not at all."""
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(state))
    draft.replace(path)


def read(folder: Path) -> Running | None:
    """The state in a run folder; None: there is none, or it is of another version."""
    try:
        return msgspec.json.decode((folder / STATE).read_bytes(), type=Running)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def find(root: Path) -> list[tuple[Path, Running]]:
    """The run folders below `root` with a state, oldest first: running, or cut short."""
    if not root.is_dir():
        return []
    found = [(folder.absolute(), read(folder)) for folder in root.iterdir()]
    return sorted(((folder, state) for folder, state in found if state is not None), key=lambda each: each[1].begun)
