"""The parent's end of the history: encode a record and hand it to the writer's pipe.

The pipe is the bounded queue. What ``append`` returned for survives a kill of this process, since the kernel holds it
until the writer has read it; a full pipe makes ``append`` wait.
A child that is forked without exec would inherit the pipe and keep the writer waiting for it: spawn children instead.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from engines.wire.errors import NautilusError
from reports.records import HISTORY, AnyRecord, encode
from stress.orphans import END_S
from stress.unheard import unheard

FAREWELL = b"\n"  # an empty line: the parent ends on purpose
_PIPE_BYTES = 1 << 20
_CLOSE_S = 30.0


class HistoryError(NautilusError):
    """The history cannot be written."""


class History:
    """An open history. Use ``History.open``; safe to append from several threads."""

    def __init__(self, path: Path, writer: subprocess.Popen[bytes], pipe: int) -> None:
        self.path = path
        self._writer = writer
        self._pipe = pipe
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Start the writer for ``folder/history.jsonl``. Raises HistoryError when that file exists already."""
        path = folder.resolve() / HISTORY
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise HistoryError(
                f"Cannot open {path.name}.", "It exists already.", "Start the mission in a new run folder."
            )
        source, pipe = os.pipe()
        _widen(pipe)
        command = [sys.executable, "-m", "stress.history.writer", str(path)]
        root = Path(__file__).resolve().parents[2]
        with unheard():
            writer = subprocess.Popen(  # apart from our group and our standard output, which may have a waiting reader
                command,
                stdin=source,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                cwd=root,
            )
        os.close(source)
        return cls(path, writer, pipe)

    @property
    def writer_pid(self) -> int:
        """The writer's process id."""
        return self._writer.pid

    def append(self, record: AnyRecord) -> None:
        """Hand over one record; waits only when the pipe is full.

        Raises ValueError on a number that is not finite, HistoryError when the writer is gone or the history closed.
        """
        line = encode(record) + b"\n"
        with self._lock:
            if self._closed:
                raise HistoryError("Cannot append to the history.", "It is closed.", "Open a new run.")
            try:
                _write_all(self._pipe, line)
            except BrokenPipeError as error:
                raise self._gone() from error

    def close(self) -> None:
        """Wait until everything is durable. Raises HistoryError when the writer failed; closing twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(BrokenPipeError):  # the writer is gone, which its exit code tells below
                _write_all(self._pipe, FAREWELL)
            os.close(self._pipe)
        try:
            code = self._writer.wait(_CLOSE_S)
        except subprocess.TimeoutExpired as error:
            why = f"Its writer did not finish in {_CLOSE_S:.0f} s."
            raise HistoryError("The history is not durable.", why, "Check the disk of the run folder.") from error
        if code != 0:
            raise self._gone()
        self._drain_stderr()

    def abandon(self) -> None:
        """Leave without a farewell, so that the writer ends the fleet, and wait for that.  Raises nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._pipe)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it goes on; `nautilus stress stop` waits for it
            self._writer.wait(END_S + _CLOSE_S)
            self._drain_stderr()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close; whoever leaves by an error may have left a fleet."""
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _gone(self) -> HistoryError:
        code = self._writer.wait(_CLOSE_S)
        words = self._drain_stderr()
        why = words.splitlines()[-1] if words else f"Its writer ended with {code}."
        return HistoryError("The history is cut short.", why, "Check the disk of the run folder, then run again.")

    def _drain_stderr(self) -> str:
        if self._writer.stderr is None or self._writer.stderr.closed:
            return ""
        with self._writer.stderr as stream:
            return stream.read().decode(errors="replace").strip()


def _write_all(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def _widen(pipe: int) -> None:
    """Give the pipe a megabyte where the system allows it (Linux, within the user's quota)."""
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if set_size is None:
        return
    try:
        fcntl.fcntl(pipe, set_size, _PIPE_BYTES)
    except PermissionError:
        return  # over the user's quota: the default size bounds the queue instead
