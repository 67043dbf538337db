"""Many logs as one, in the order of time.

A log is its rotated pieces and the live file.  A line that tells no time belongs to the line above, so that a traceback
stays together: the two are one entry, and entries are what is ordered and searched.  Reading begins at the end: the
last lines cost some blocks, `since` a binary search, whatever the size of the log.
"""

import heapq
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from engines.fleet import logtime
from engines.wire.errors import UsageError

_BLOCK = 64 * 1024
_LONGEST = 1000  # lines of an entry; a log that never tells the time comes in entries of so many


class Line(NamedTuple):
    """One line of one process's log.  `at`: Unix seconds of its entry, None when the log tells no time."""

    name: str
    at: float | None
    text: str


class Entry(NamedTuple):
    """A line that tells a time, and those below that tell none."""

    at: float | None
    lines: tuple[bytes, ...]


class Wanted(NamedTuple):
    """Which entries: at most the last `lines` lines of each log, not before `since`, with a match of `pattern`."""

    lines: int | None = None
    since: float | None = None
    pattern: re.Pattern[str] | None = None

    def matches(self, lines: Iterable[bytes]) -> bool:
        """Whether one of an entry's lines holds what is looked for."""
        if self.pattern is None:
            return True
        return any(self.pattern.search(text(line)) for line in lines)


LAST = Wanted(lines=50)


def known(folder: Path) -> dict[str, Path]:
    """The logs of a folder, by the names of their processes."""
    return {path.stem: path for path in sorted(folder.glob("*.log"))}


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression, as Python understands it.

    Raises:
        UsageError: it is none.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"{pattern!r} is no regular expression.", f"{error}.", "Quote signs that mean something, as in '\\['"
        ) from None


def text(line: bytes) -> str:
    """A line as it is shown."""
    return line.decode("utf-8", "replace").rstrip("\r")


def pieces(path: Path) -> list[Path]:
    """The files of a log that exist, oldest first: `x.log.2`, `x.log.1`, `x.log`."""
    older = [(int(one.suffix[1:]), one) for one in path.parent.glob(f"{path.name}.*") if one.suffix[1:].isdigit()]
    return [one for _, one in sorted(older, reverse=True)] + ([path] if path.exists() else [])


def read(logs: Mapping[str, Path], wanted: Wanted, ends: Mapping[str, int] | None = None) -> Iterator[Line]:
    """The wanted lines of all logs, oldest first.  `ends`: where in its live file each log is read to."""
    streams = [_keyed(name, _entries(path, wanted, (ends or {}).get(name))) for name, path in logs.items()]
    for _, name, entry in heapq.merge(*streams, key=lambda each: each[0]):
        for line in entry.lines:
            yield Line(name, entry.at, text(line))


def whole_lines(path: Path) -> int:
    """Where the last whole line of a file ends, in bytes."""
    try:
        with path.open("rb") as file:
            left = file.seek(0, os.SEEK_END)
            while left > 0:
                step = min(_BLOCK, left)
                left -= step
                file.seek(left)
                cut = file.read(step).rfind(b"\n")
                if cut >= 0:
                    return left + cut + 1
    except FileNotFoundError:
        return 0
    return 0


def _keyed(name: str, entries: Iterable[tuple[float, Entry]]) -> Iterator[tuple[float, str, Entry]]:
    """With the time that orders it; a clock that was set back does not change the order within a log."""
    for written, entry in entries:
        yield (written if entry.at is None else entry.at), name, entry


def _entries(path: Path, wanted: Wanted, end: int | None) -> Iterator[tuple[float, Entry]]:
    """Wanted entries of one log, oldest first, each with the time of its file's last write."""
    with _Opened(path, end) as files:
        if wanted.lines is None and wanted.since is not None:
            yield from _from(files, wanted, wanted.since)
        else:
            yield from _last(files, wanted)


class _Piece(NamedTuple):
    """An open file of a log, read to `size`, last written at `written` (Unix seconds)."""

    file: BinaryIO
    size: int
    written: float


class _Opened:
    """All pieces of a log, held open together: a rotation meanwhile does not shift them."""

    def __init__(self, path: Path, end: int | None) -> None:
        self._files: list[_Piece] = []
        for piece in pieces(path):
            try:
                file = piece.open("rb")
            except FileNotFoundError:
                continue  # rotated away since it was listed
            facts = os.fstat(file.fileno())
            size = facts.st_size if end is None or piece != path else min(end, facts.st_size)
            self._files.append(_Piece(file, size, facts.st_mtime))

    def __enter__(self) -> list[_Piece]:
        return self._files

    def __exit__(self, *_: object) -> None:
        for piece in self._files:
            piece.file.close()


def _last(files: Sequence[_Piece], wanted: Wanted) -> list[tuple[float, Entry]]:
    """From the end back to the N-th line, or to `since`."""
    found: list[tuple[float, Entry]] = []
    left = wanted.lines
    for written, entry in _backwards(files):
        if left is not None and left <= 0:
            break
        if wanted.since is not None and (written if entry.at is None else entry.at) < wanted.since:
            break
        if not wanted.matches(entry.lines):
            continue
        kept = entry.lines if left is None else entry.lines[-left:]
        found.append((written, Entry(entry.at, kept)))
        left = None if left is None else left - len(kept)
    return found[::-1]


def _backwards(files: Sequence[_Piece]) -> Iterator[tuple[float, Entry]]:
    """Entries, newest first."""
    lines: list[bytes] = []
    written = 0.0
    for piece in reversed(files):
        for line in _lines_backwards(piece):
            written = written if lines else piece.written
            lines.append(line)
            at = logtime.stamp(line)
            if at is not None or len(lines) >= _LONGEST:
                yield written, Entry(at, tuple(reversed(lines)))
                lines = []
    if lines:
        yield written, Entry(None, tuple(reversed(lines)))


def _lines_backwards(piece: _Piece) -> Iterator[bytes]:
    left, head = piece.size, b""
    first = True
    while left > 0:
        step = min(_BLOCK, left)
        left -= step
        piece.file.seek(left)
        block = piece.file.read(step) + head
        if first and block.endswith(b"\n"):
            block = block[:-1]
        first = False
        head, *whole = block.split(b"\n")
        yield from reversed(whole)
    if piece.size:
        yield head


def _from(files: Sequence[_Piece], wanted: Wanted, since: float) -> Iterator[tuple[float, Entry]]:
    """From the first entry that is not before `since`, without holding them all."""
    for written, entry in _forwards(files, since):
        if (written if entry.at is None else entry.at) >= since and wanted.matches(entry.lines):
            yield written, entry


def _forwards(files: Sequence[_Piece], since: float) -> Iterator[tuple[float, Entry]]:
    """Entries from a little before `since`, oldest first; a piece that ends before it is left out."""
    lines: list[bytes] = []
    at: float | None = None
    written = 0.0
    for piece in files:
        if piece.written < since:
            continue
        piece.file.seek(_locate(piece, since))
        for line in chain.from_iterable(_blocks(piece)):
            told = logtime.stamp(line)
            if lines and (told is not None or len(lines) >= _LONGEST):
                yield written, Entry(at, tuple(lines))
                lines = []
            if told is not None:
                at = told
            lines.append(line)
            written = piece.written
    if lines:
        yield written, Entry(at, tuple(lines))


def _blocks(piece: _Piece) -> Iterator[list[bytes]]:
    """Lines from where the file stands to the piece's end, some at a time."""
    rest = b""
    while (left := piece.size - piece.file.tell()) > 0:
        *whole, rest = (rest + piece.file.read(min(_BLOCK, left))).split(b"\n")
        yield whole
    if rest:
        yield [rest]


def _locate(piece: _Piece, since: float) -> int:
    """Where a line begins at most some blocks before the first that is not before `since`."""
    low, high = 0, piece.size
    while high - low > _BLOCK:
        middle = (low + high) // 2
        told = _first_stamp(piece.file, middle, min(middle + _BLOCK, high))
        if told is not None and told[0] < since:
            low = told[1]
        else:
            high = middle
    return low


def _first_stamp(file: BinaryIO, begin: int, end: int) -> tuple[float, int] | None:
    """The first time told in a range of a file, and where its line begins."""
    file.seek(begin)
    block = file.read(end - begin)
    place = block.find(b"\n") + 1
    while 0 < place < len(block):
        cut = block.find(b"\n", place)
        at = logtime.stamp(block[place : cut if cut >= 0 else len(block)])
        if at is not None:
            return at, begin + place
        place = cut + 1
    return None
