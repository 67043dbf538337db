"""The logs of a fleet's processes: rotation by the supervisor, reading by anyone.

Processes append (O_APPEND), so a log is rotated by copying it and cutting it to nothing: the writer goes on at the
start and never has to be told.  What is written between the copy and the cut is lost; under a flood that is a fraction
of a second of it, and the disk stays bounded.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SIZE = 16 * 1024 * 1024
KEEP = 3
_BLOCK = 64 * 1024


class LogLine(NamedTuple):
    """One line of one process's log."""

    name: str
    text: str


def rotate(path: Path, size: int = SIZE, keep: int = KEEP) -> bool:
    """Set a log that has outgrown `size` bytes aside as `<name>.1`; at most `keep` old ones stay."""
    try:
        if path.stat().st_size <= size:
            return False
    except FileNotFoundError:
        return False
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log, oldest first; none when there is no log.  Reads from its end."""
    if lines <= 0 or not path.exists():
        return []
    with path.open("rb") as file:
        left = file.seek(0, os.SEEK_END)
        data = b""
        while left > 0 and data.count(b"\n") <= lines:
            step = min(_BLOCK, left)
            left -= step
            file.seek(left)
            data = file.read(step) + data
    return data.decode("utf-8", "replace").splitlines()[-lines:]


def follow(paths: Sequence[tuple[str, Path]], lines: int, poll_s: float = 0.1) -> Iterator[LogLine]:
    """The last lines of each log, then new ones as they come, for ever.  A rotated log is read from its start."""
    places: dict[str, int] = {}
    rest: dict[str, bytes] = {}
    for name, path in paths:
        places[name] = path.stat().st_size if path.exists() else 0
        for text in tail(path, lines):
            yield LogLine(name, text)
    while True:
        fresh = False
        for name, path in paths:
            data, places[name] = _since(path, places[name])
            *whole, rest[name] = (rest.get(name, b"") + data).split(b"\n")
            for line in whole:
                fresh = True
                yield LogLine(name, line.decode("utf-8", "replace"))
        if not fresh:
            time.sleep(poll_s)


def _since(path: Path, place: int) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(place if size >= place else 0)
            data = file.read(16 * _BLOCK)
            return data, file.tell()
    except FileNotFoundError:
        return b"", 0
