"""Signals that end a command.  One that is ignored at the start (nohup, a script's `&`) stays ignored."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def speaking(say: Callable[[], None]) -> Iterator[None]:
    """Inside, SIGINT first calls `say`, then raises KeyboardInterrupt as ever: the wait that it ends may take a while.

    Main thread only.
    """

    def heard(number: int, frame: FrameType | None) -> None:
        say()
        signal.default_int_handler(number, frame)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def tidily() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise SystemExit with 128 and their number, so that what was begun is ended.

    Afterwards a signal simply kills: there is nothing left to end, and a traceback would tell nobody anything.
    """

    def told(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    heeded = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number in (*heeded, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
