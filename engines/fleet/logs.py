"""The logs of a fleet's processes: rotation by the supervisor, reading by anyone.

Processes append (O_APPEND), so a log is rotated by copying it and cutting it to nothing: the writer goes on at the
start and never has to be told.  What is written between the copy and the cut is lost.  Of a log that has outgrown its
size by far its end is kept: a process that floods it (100 MB a second and more) loses most of what it wrote, and the
disk stays bounded by what comes between two looks.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

SIZE = 16 * 1024 * 1024
KEEP = 3
AGE_S = 86_400.0  # a log is set aside after so long, whatever its size
OLD_S = 14 * 86_400.0  # and removed after so long
LOOK_S = 0.1  # seconds between two looks
_BLOCK = 64 * 1024


class Keeper:
    """Keeps the logs of a folder in bounds: by size at each look, by age, and by the age of what was set aside.

    `clock`: Unix seconds.  A log's age counts from when this keeper first saw it or last rotated it.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._since: dict[str, float] = {}
        self._sweep_at = 0.0

    def look(self) -> list[str]:
        """Rotate what is due; the names of the logs that were."""
        now = self._clock()
        rotated = []
        with os.scandir(self._folder) as entries:
            current = [(entry.name, entry.stat().st_size) for entry in entries if entry.name.endswith(".log")]
        for name, size in current:
            aged = now - self._since.setdefault(name, now) >= AGE_S and size > 0
            if (size > SIZE or aged) and rotate(self._folder / name, 0 if aged else SIZE):
                self._since[name] = now
                rotated.append(name)
        if now >= self._sweep_at:
            self._sweep_at = now + AGE_S / 24
            self._sweep(now)
        return rotated

    def _sweep(self, now: float) -> None:
        for path in self._folder.glob("*.log.[0-9]*"):
            with contextlib.suppress(FileNotFoundError):
                if now - path.stat().st_mtime > OLD_S:
                    path.unlink()


def rotate(path: Path, size: int = SIZE, keep: int = KEEP) -> bool:
    """Set a log that has outgrown `size` bytes aside as `<name>.1`, its last `SIZE` bytes; `keep` old ones stay."""
    try:
        if path.stat().st_size <= size:
            return False
    except FileNotFoundError:
        return False
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    with path.open("rb") as source, path.with_name(f"{path.name}.1").open("wb") as target:
        left = min(SIZE, source.seek(0, os.SEEK_END))
        source.seek(-left, os.SEEK_END)
        while left > 0 and (data := source.read(min(left, 1 << 20))):  # not to the end: that may run away
            target.write(data)
            left -= len(data)
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
