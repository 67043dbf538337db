"""The operators' log: who asked the fleet for what, when, and what came of it.  Append-only JSON lines, 0600.

Only what changes something is written.  The supervisor writes it, from what the kernel says of the asking process.
"""

import datetime
import os
import pwd
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engines.wire.errors import NautilusError

if TYPE_CHECKING:
    from engines.fleet.control import Request

READS = frozenset({"status", "events"})


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """The asking process.  `uid` and `pid` are the kernel's, None over TCP, where `address` is its own."""

    uid: int | None = None
    pid: int | None = None
    address: str = ""

    @property
    def text(self) -> str:
        """In words."""
        return f"tcp {self.address}" if self.address else f"uid {self.uid} pid {self.pid}"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.  `at`: UTC, ISO 8601; `tty` and `program` as far as the system tells."""

    at: str
    op: str
    outcome: str  # ok, or why it was refused
    uid: int | None = None
    user: str = ""
    pid: int | None = None
    tty: str = ""
    program: str = ""
    address: str = ""
    engines: tuple[str, ...] = ()
    detail: str = ""


class Audited:
    """A supervisor's `answer` that writes down every request that changes something."""

    def __init__(
        self, answer: "Callable[[Request, str], object]", path: Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._answer = answer
        self._path = path
        self._clock = clock

    def __call__(self, request: "Request", peer: Peer) -> object:
        """Answer, and record.

        Raises:
            NautilusError: what `answer` raises.
        """
        if request.op in READS or request.dry:
            return self._answer(request, peer.text)
        who = describe(peer)  # before: a restart may end the asker's own terminal
        outcome = "failed"
        try:
            result = self._answer(request, peer.text)
            outcome = "ok"
            return result
        except NautilusError as error:
            outcome = f"refused: {error.what}"
            raise
        finally:
            detail = " ".join(part for part in (request.reason, "now" * request.now) if part)
            at = _utc(self._clock())
            append(
                self._path, Entry(at=at, op=request.op, outcome=outcome, engines=request.engines, detail=detail, **who)
            )


def record(path: Path, op: str, outcome: str, *, engines: tuple[str, ...] = (), detail: str = "") -> None:
    """What this very process did without a supervisor: start one, or clear what a killed one left."""
    me = describe(Peer(uid=os.getuid(), pid=os.getpid()))
    append(path, Entry(at=_utc(time.time()), op=op, outcome=outcome, engines=engines, detail=detail, **me))


def append(path: Path, entry: Entry) -> None:
    """Write one line, whole and durable.  A log that cannot be written is said on standard error: `down` must work."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, msgspec.json.encode(entry) + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        sys.stderr.write(f"audit log {path}: {error.strerror}; not recorded: {entry.op} by uid {entry.uid}\n")


def read(path: Path) -> list[Entry]:
    """All whole entries, oldest first; a line cut short by a full disk is left out."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_bytes().splitlines():
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return entries


def describe(peer: Peer) -> dict[str, Any]:
    """The fields of an entry that say who; empty where the system does not tell."""
    if peer.uid is None:
        return {"address": peer.address}
    try:
        user = pwd.getpwuid(peer.uid).pw_name
    except KeyError:
        user = ""  # a container's uid without a name
    return {"uid": peer.uid, "user": user, "pid": peer.pid, "tty": _tty(peer.pid), "program": _program(peer.pid)}


def _tty(pid: int | None) -> str:
    """The controlling terminal (field 7 of proc(5) stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    number = int(fields[4])
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    if 136 <= major <= 143:  # Unix98 pseudo-terminals
        return f"pts/{(major - 136) * 256 + minor}"
    return f"tty{minor}" if major == 4 and number else ""


def _program(pid: int | None) -> str:
    """Its program, or the script or module that its interpreter runs: no other argument, which might be a secret."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    name = Path(words[0]).name
    if not name.startswith("python"):
        return name
    if "-m" in words[1:3]:
        return words[words.index("-m") + 1]
    return Path(words[1]).name if len(words) > 1 and words[1] and not words[1].startswith("-") else name


def _utc(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds")
