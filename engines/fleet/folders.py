"""Where a fleet keeps its things: the state folder for what lasts, a short runtime folder for sockets."""

import hashlib
import os
import re
import stat
from pathlib import Path

import msgspec

from engines.wire.errors import NautilusError, UsageError
from engines.wire.settings import home as default_home

SOCKET_PATH_MAX = 107  # bytes of sun_path on Linux, less its terminator
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Folders(msgspec.Struct, frozen=True):
    """The files of one fleet."""

    state: Path
    runtime: Path

    @property
    def lock(self) -> Path:
        """Held (flock) by the one supervisor."""
        return self.state / "fleet.lock"

    @property
    def journal(self) -> Path:
        """What happened, one JSON object a line."""
        return self.state / "fleet.jsonl"

    @property
    def audit(self) -> Path:
        """Who asked for what, 0600."""
        return self.state / "audit.jsonl"

    @property
    def beats(self) -> Path:
        """Heartbeat slots."""
        return self.state / "beats"

    @property
    def secrets(self) -> Path:
        """Bus passwords and the fleet token, 0600."""
        return self.state / "secrets.json"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.state / "logs"

    @property
    def bus(self) -> Path:
        """The buses' own files."""
        return self.state / "bus"

    @property
    def store(self) -> Path:
        """DuckDB and Parquet."""
        return self.state / "store"

    @property
    def control(self) -> Path:
        """The supervisor's socket."""
        return self.runtime / "control.sock"

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.logs / f"{name}.log"


def of(name: str, home: Path | None = None) -> Folders:
    """The folders of a fleet; nothing is made.

    Raises:
        UsageError: the name cannot be a folder's.
    """
    if not _NAME.fullmatch(name):
        rule = "a letter or digit, then at most 63 letters, digits, dots, dashes, underscores"
        raise UsageError(f"{name!r} cannot name a fleet.", f"A name is {rule}, in lower case.")
    state = (home.expanduser().absolute() if home is not None else default_home()) / name
    return Folders(state, runtime_base() / hashlib.sha256(os.fsencode(state)).hexdigest()[:12])


def runtime_base() -> Path:
    """The user's folder for sockets, short enough for a Unix socket's path."""
    user = os.getuid()
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path(given) / "nautilus"
    longest = len(os.fsencode(base)) + len("/0123456789ab/control.sock")
    if given and longest < SOCKET_PATH_MAX and Path(given).is_dir():
        return base
    return Path("/tmp") / f"nautilus-{user}"  # noqa: S108 - made 0700 and checked by `make`


def make(folders: Folders) -> None:
    """Make all folders, 0700.

    Raises:
        NautilusError: a folder cannot be made or written, or the runtime folder is another user's.
    """
    ours = (folders.state, folders.logs, folders.bus, folders.store)
    try:
        folders.state.parent.mkdir(parents=True, exist_ok=True)
        for path in ours:
            path.mkdir(mode=0o700, exist_ok=True)
            path.chmod(0o700)
        for path in (folders.runtime.parent, folders.runtime):
            path.mkdir(mode=0o700, exist_ok=True)
            _check_private(path)
    except OSError as error:
        raise NautilusError(
            f"The fleet's folder {error.filename} cannot be used.",
            error.strerror or str(error),
            "Set NAUTILUS_HOME to a folder that you may write.",
        ) from error
    if not os.access(folders.state, os.W_OK):
        raise NautilusError(
            f"The fleet's folder {folders.state} is read-only.", "", "Set NAUTILUS_HOME to a folder that you may write."
        )


def _check_private(path: Path) -> None:
    """A folder under /tmp is ours only when we own it and nobody else may enter."""
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise NautilusError(
            f"{path} is not private to you.",
            f"owner {facts.st_uid}, mode {stat.S_IMODE(facts.st_mode):o}",
            f"Remove it, or set XDG_RUNTIME_DIR, and try again: rm -r {path}",
        )
