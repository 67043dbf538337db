"""Starting a child that no signal to our whole group ends, not even before it has a session of its own."""

import contextlib
import signal
from collections.abc import Iterator

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a manager's word (`nautilus stress stop` too), a terminal that is gone."""


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Inside, these signals wait; a child that is started here inherits that they do, so it must end by itself."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
