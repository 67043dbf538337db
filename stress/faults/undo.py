"""What still has to be undone, on disk before it is done: `nautilus stress heal` works after the operator's own death.

One JSON object a line, each synced.  A line cut by a crash belongs to a fault that was never injected: the line is
durable before the injection begins.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

from stress.faults.fault import Undo

JOURNAL = "undo.jsonl"


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    event: Literal["pending", "undone"]
    undo: Undo


class UndoJournal:
    """The undo journal of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL

    def pending(self) -> tuple[Undo, ...]:
        """What was written down and not undone, oldest first."""
        if not self.path.is_file():
            return ()
        open_ones: dict[str, Undo] = {}
        for raw in self.path.read_bytes().split(b"\n")[:-1]:
            line = msgspec.json.decode(raw, type=_Line)
            if line.event == "pending":
                open_ones[line.undo.fault] = line.undo
            else:
                open_ones.pop(line.undo.fault, None)
        return tuple(open_ones.values())

    def begin(self, undo: Undo) -> None:
        """Write down what will have to be undone; durable when this returns."""
        self._write(_Line(event="pending", undo=undo))

    def done(self, undo: Undo) -> None:
        """It was undone."""
        self._write(_Line(event="undone", undo=undo))

    def _write(self, line: _Line) -> None:
        whole = not self.path.is_file() or self.path.read_bytes()[-1:] in (b"", b"\n")
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if not whole:  # a former line was cut: it never counted
                os.ftruncate(descriptor, self.path.read_bytes().rfind(b"\n") + 1)
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
