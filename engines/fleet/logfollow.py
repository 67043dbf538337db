"""New lines of many logs as they come, through rotations of either kind.

A log is rotated by copying and cutting it, or by renaming it.  A follower therefore remembers the bytes just before its
place: when they are no longer there, it looks for them in the rotated pieces and reads on from where they are.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from engines.fleet import logtime, logview
from engines.fleet.logview import Line, Wanted

_MARK = 64  # bytes before the place that must still be there
_MOST = 1024 * 1024  # bytes read at a time
_LOOK_S = 1.0  # how often new logs are looked for
Logs = Callable[[], dict[str, Path]]


class Follower:
    """One log, from a place in its live file on."""

    def __init__(self, path: Path, place: int) -> None:
        self._path = path
        self._place = place
        self._rest = b""
        self._mark = b""
        if place:
            with path.open("rb") as file:
                self._mark = os.pread(file.fileno(), min(_MARK, place), max(0, place - _MARK))

    def lines(self) -> list[bytes]:
        """Whole lines that were written since the last call; of a flood the first megabyte."""
        before = b""
        fresh = self._grown()
        if fresh is None:
            before = self._missed()
            self._place, self._mark = 0, b""
            fresh = self._grown() or b""
        self._place += len(fresh)
        self._mark = (self._mark + fresh)[-_MARK:]
        *whole, self._rest = (self._rest + before + fresh).split(b"\n")
        return whole

    def _grown(self) -> bytes | None:
        """What the live file holds beyond the place; None when what stood before the place does not stand there."""
        known = len(self._mark)
        try:
            with self._path.open("rb") as file:
                data = os.pread(file.fileno(), known + _MOST, self._place - known)
        except FileNotFoundError:
            data = b""
        return data[known:] if data[:known] == self._mark else None

    def _missed(self) -> bytes:
        """What was written between the place and the rotation, and all of the pieces that are younger.

        Of a flood a piece may hold the end only: what stood before the place is looked for anywhere in it.
        """
        younger = b""
        for piece in reversed([piece for piece in logview.pieces(self._path) if piece != self._path]):
            data = piece.read_bytes()
            here = data[: self._place].endswith(self._mark) and len(data) >= self._place
            cut = self._place if here else data.rfind(self._mark) + len(self._mark)
            if here or self._mark in data:
                return data[cut:] + younger
            younger = data + younger
        return b""


class _Stream:
    """A follower with what its last entry was: lines that tell no time go with it."""

    def __init__(self, name: str, follower: Follower) -> None:
        self._name = name
        self._follower = follower
        self._at: float | None = None
        self._shown = False

    def fresh(self, wanted: Wanted) -> Iterator[Line]:
        """New lines that are wanted."""
        for line in self._follower.lines():
            told = logtime.stamp(line)
            if told is not None:
                self._at, self._shown = told, wanted.matches((line,))
            if self._shown or wanted.matches((line,)):
                yield Line(self._name, self._at, logview.text(line))


def follow(logs: Logs, wanted: Wanted, poll_s: float = 0.1) -> Iterator[Line]:
    """The wanted lines of all logs, then new ones as they come, for ever.

    `logs` is asked again once a second: a process that is started later is followed from its first line.
    """
    known = logs()
    ends = {name: logview.whole_lines(path) for name, path in known.items()}
    streams = {name: _Stream(name, Follower(path, ends[name])) for name, path in known.items()}
    yield from logview.read(known, wanted, ends)
    looked = time.monotonic()
    while True:
        batch = [line for stream in streams.values() for line in stream.fresh(wanted)]
        now = time.time()
        yield from sorted(batch, key=lambda line: now if line.at is None else line.at)
        if time.monotonic() - looked >= _LOOK_S:
            looked = time.monotonic()
            for name, path in logs().items():
                if name not in streams:
                    streams[name] = _Stream(name, Follower(path, 0))
        if not batch:
            time.sleep(poll_s)
