"""The first Ctrl-C speaks at once: the wait that it ends may take a while to end."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def speaking(say: Callable[[], None]) -> Iterator[None]:
    """Inside, SIGINT first calls `say`, then raises KeyboardInterrupt as ever.  Main thread only."""

    def heard(number: int, frame: FrameType | None) -> None:
        say()
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
