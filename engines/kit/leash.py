"""The control pipe's reader: a thread, because it must work while the event loop does not.

It hears the supervisor's words (`engines.wire.leash`) at once.  When nobody holds the other end any more it says so,
and ends the process by force if that has not ended by itself in time.
"""

import os
import threading
import time
from collections.abc import Callable

from engines.wire.leash import END_S, ORPHANED

LOST = b""  # end of file: the supervisor is gone


class Leash(threading.Thread):
    """Reads one descriptor.  `hear` is called in this thread, with each word and at last with `LOST`."""

    def __init__(self, control: int, hear: Callable[[bytes], None], end: Callable[[int], None] = os._exit) -> None:
        super().__init__(name="leash", daemon=True)
        self._control = control
        self._hear = hear
        self._end = end

    def run(self) -> None:
        """Hear until the end of file."""
        while word := os.read(self._control, 1):
            self._hear(word)
        self._hear(LOST)
        time.sleep(END_S)
        self._end(ORPHANED)
