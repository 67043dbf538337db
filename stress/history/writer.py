"""The process that owns ``history.jsonl``: reads JSON lines from its standard input, chains and commits them in groups.

It outlives its parent: on end of input, however the parent ended, it writes what the pipe still holds, syncs and ends.
An empty line is the parent's farewell.  One that went without it was killed, or failed in a way that it did not
foresee, and its private fleet may still run beside the history.  The writer ends that: it is the one process that
learns of the death at once, whatever died with it.
Run as ``python -m stress.history.writer PATH``.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path

from reports import chain
from stress import orphans  # before it is needed: what is installed may be another version by then
from stress.place import FLEET
from stress.unheard import NUMBERS

GROUP_S = 0.2
"""Longest time that a line waits for its sync."""
LOG = "writer.log"
_READ = 1 << 20


class Committer:
    """Chains payloads into a file and syncs it once per group."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._previous = chain.GENESIS
        self._rest = b""
        self._dirty_since: float | None = None
        self.farewell = False

    def take(self, data: bytes, now: float) -> None:
        """Append every whole line of ``data``; keep what is behind the last newline for the next call."""
        *payloads, self._rest = (self._rest + data).split(b"\n")
        lines: list[bytes] = []
        for payload in payloads:
            if not payload:
                self.farewell = True
                continue
            self._previous, line = chain.link(self._previous, payload)
            lines.append(line)
        if lines:
            _write_all(self._descriptor, b"".join(lines))
            self._dirty_since = self._dirty_since if self._dirty_since is not None else now

    def due_in(self, now: float) -> float | None:
        """Seconds until the group must be synced; None when everything is."""
        return None if self._dirty_since is None else max(0.0, self._dirty_since + GROUP_S - now)

    def sync(self) -> None:
        """Make what was appended durable."""
        os.fsync(self._descriptor)
        self._dirty_since = None


def serve(source: int, committer: Committer) -> None:
    """Commit from ``source`` until its end. A line without its newline at the end was never wholly sent: dropped."""
    while True:
        ready, _, _ = select.select([source], [], [], committer.due_in(time.monotonic()))
        if ready:
            data = os.read(source, _READ)
            if not data:
                break
            committer.take(data, time.monotonic())
        if committer.due_in(time.monotonic()) == 0.0:
            committer.sync()
    committer.sync()


def main(path: Path) -> int:
    """Create the file (it must not exist) and serve standard input; only the end of input ends it, no signal to all."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
    committer = Committer(descriptor)
    try:
        serve(sys.stdin.fileno(), committer)
    finally:
        os.close(descriptor)
    if not committer.farewell:
        _end_fleet(path.parent)
    return 0


def _end_fleet(folder: Path) -> None:
    """Nobody reads what it says any more: that goes to a file beside the history."""
    said = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, sys.stderr.fileno())
    if (folder / FLEET).is_dir():
        ended = orphans.end(folder / FLEET)
        sys.stderr.write(f"The mission left without a farewell; ended {len(ended)} processes of its fleet.\n")


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
