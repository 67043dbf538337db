"""A proxy's place at a Unix socket: put there and taken away by renaming, without a moment in which nobody listens.

A socket keeps its listener under any name.  The server's socket gets a second name (`main.real`), and the proxy's is
renamed over the public one (`main.sock`).  Back: the second name is renamed over the public one.  Both are atomic.

A bus that is replaced in between binds the public name anew, which ends the fault: then the second name is stale, and
is removed instead of being renamed over the new server's.  Who listens is asked of the kernel.
"""

import contextlib
import os
import socket
import struct
import sys
from pathlib import Path

import msgspec

from engines.fleet.folders import SOCKET_PATH_MAX
from engines.wire.errors import NautilusError, UsageError

_CONNECT_S = 1.0
_LOCAL_PEERPID = 2  # unix(4) of macOS, level SOL_LOCAL (0)


class Place(msgspec.Struct, frozen=True):
    """The public path of a server's socket, and which socket was there: a rename keeps device and inode."""

    public: str
    device: int
    inode: int

    @property
    def real(self) -> Path:
        """Where the server is reached while the proxy is in its place."""
        return Path(self.public).with_suffix(".real")

    @property
    def via(self) -> Path:
        """Where the proxy listens before it is put in place."""
        return Path(self.public).with_suffix(".via")

    @property
    def control(self) -> Path:
        """Where the proxy takes orders."""
        return Path(self.public).with_suffix(".proxy")

    def direct(self) -> bool:
        """Whether the server's own socket has the public name."""
        return _key(Path(self.public)) == (self.device, self.inode)


def survey(public: str) -> Place:
    """The place of the socket that is there now.

    Raises:
        UsageError: none is, or a proxy stands in front of it already.
    """
    path = Path(public)
    key = _key(path)
    if key is None or listener(path) is None:
        raise UsageError(f"Nobody listens at {public}.", "The bus is down, or external.", "nautilus status")
    place = Place(public, *key)
    if len(os.fsencode(place.control)) > SOCKET_PATH_MAX:
        raise UsageError(f"{place.control} is too long for a socket.", "", "Set XDG_RUNTIME_DIR to a shorter path.")
    if place.real.exists():
        if listener(place.real) is not None:
            raise UsageError(f"A proxy stands at {public} already.", "", "Take it away: nautilus stress heal")
        place.real.unlink()  # of a bus that was replaced while a proxy stood there
    return place


def insert(place: Place) -> None:
    """Put the proxy that listens at `via` in front of the server.

    Raises:
        NautilusError: the folder does not take it.
    """
    try:
        os.link(place.public, place.real)
        place.via.rename(place.public)
    except OSError as error:
        raise NautilusError(f"No proxy can be put at {place.public}.", str(error)) from error


def restore(place: Place) -> str:
    """Give the server its name back, where it is still the one that had it.  Returns what was found.  Idempotent."""
    if place.direct():
        found = "the server's own socket had its name"
        place.real.unlink(missing_ok=True)  # a second name that was given and never used
    elif _key(place.real) != (place.device, place.inode):
        found = "the server had gone"
    elif listener(place.real) is None:
        found = "the server had ended"
        place.real.unlink(missing_ok=True)
    else:
        found = "the server's socket has its name again"
        place.real.rename(place.public)
    for left in (place.via, place.control):
        left.unlink(missing_ok=True)
    return found


def listener(path: Path) -> int | None:
    """The pid of whoever listens at a socket's path; None: nobody does."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as link, contextlib.suppress(OSError):
        link.settimeout(_CONNECT_S)
        link.connect(str(path))
        return peer(link)
    return None


def peer(link: socket.socket) -> int | None:
    """The process at the other end of a Unix connection; of a TCP one nobody says it."""
    if link.family != socket.AF_UNIX:
        return None
    if sys.platform == "darwin":
        return link.getsockopt(0, _LOCAL_PEERPID)
    return int(struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def _key(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino
