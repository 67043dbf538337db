"""Processes that keep a fault in force, and whose end is the fault's end.

Each reads its spec from standard input, says one line once it is in force, and ends at SIGTERM or after the time that
its spec gives it, whatever has become of whoever started it.  It is born before it is told anything, so that its
identity can be written down before the fault begins; one that is never told ends when its starter does.
"""

import contextlib
import subprocess
import sys
import threading

from engines.fleet import process
from engines.fleet.process import Identity
from engines.wire.errors import NautilusError

BEYOND_S = 120.0  # a keeper's time beyond its fault's: nobody has healed it by then
_GRACE_S = 3.0
_children: dict[int, subprocess.Popen[bytes]] = {}  # ours, to be buried by `end`
_lock = threading.Lock()


class Keeper:
    """`python -m module` in a session of its own."""

    def __init__(self, module: str) -> None:
        pipe = subprocess.PIPE
        self._module = module
        self._child = subprocess.Popen(
            [sys.executable, "-m", module], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        found = process.identify(self._child.pid)
        if found is None:
            self._bury()
            raise NautilusError(f"{module} did not start.")
        self.identity = found
        with _lock:
            _children[self._child.pid] = self._child

    def begin(self, spec: bytes) -> str:
        """Tell it what to do; returns the line that it says once it does it.

        Raises:
            NautilusError: it ended instead.
        """
        said, why = self._talk(spec)
        if not said:
            end(self.identity)
            raise NautilusError(f"{self._module} did not begin.", why[-500:])
        return said

    def _talk(self, spec: bytes) -> tuple[str, str]:
        child = self._child
        if child.stdin is None or child.stdout is None or child.stderr is None:
            raise TypeError("pipes were asked for")
        with child.stdout, child.stderr:
            with contextlib.suppress(BrokenPipeError), child.stdin:
                child.stdin.write(spec)
            said = child.stdout.readline().decode("utf-8", "replace").strip()
            return said, "" if said else child.stderr.read().decode("utf-8", "replace").strip()

    def _bury(self) -> None:
        self._child.kill()
        self._child.communicate()


def end(identity: Identity) -> bool:
    """End one, whoever started it; False when it did not in time.  Harmless when it has ended."""
    left = process.end([identity], _GRACE_S)
    with _lock:
        child = _children.pop(identity.pid, None)
    if child is not None and not left:
        child.wait()
    return not left
