"""Standard output and error that outlive their readers: a closed pipe or a lost terminal never ends a command midway.

What nobody can read any more is dropped.  Data that were lost end the command (`Unread`); lost words end nothing.
Nothing is buffered, so that a signal's handler may speak while the same stream is being written to.
"""

import errno
import io
import os
import sys
from pathlib import Path
from typing import TextIO

_CLOSED = (errno.EPIPE, errno.EIO)  # a pipe without its reader; a terminal that is gone


class Unread(Exception):
    """Data did not reach standard output.  `closed`: its reader has gone away, as `head` does."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.closed = error.errno in _CLOSED


class Drain(io.FileIO):
    """A descriptor of which writing never fails; `lost` says why the first write was dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost: OSError | None = None

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override] # typeshed: any buffer
        """Write all of it, or drop it."""
        view = memoryview(data)
        whole = view.nbytes
        try:
            while view and self.lost is None:
                view = view[os.write(self.fileno(), view) :]
        except OSError as error:
            self.lost = error
        return whole


def install() -> None:
    """Put a drain below each of the two streams."""
    sys.stdout, sys.stderr = _drained(sys.stdout), _drained(sys.stderr)


def check(stream: TextIO) -> None:
    """Raise Unread when something that was written to a drained stream is lost."""
    drain = getattr(stream, "buffer", None)
    if isinstance(drain, Drain) and drain.lost is not None:
        raise Unread(drain.lost)


def _drained(stream: TextIO | None) -> TextIO:
    """The same, with a character that it lacks written as an escape; None: it was closed before the start."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    return io.TextIOWrapper(
        Drain(stream.fileno()), encoding=stream.encoding, errors="backslashreplace", write_through=True
    )
