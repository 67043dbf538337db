"""A process that takes processor time or memory for a while: `python burden.py cpu|memory SECONDS [BYTES]`.

Standard library only, and it ends by itself: whoever started it may be dead.
"""

import contextlib
import mmap
import sys
import time
from pathlib import Path

_FIRST = 1000  # the kernel's choice when memory runs out: this process before any other


def main(what: str, seconds: float, size: int) -> None:
    """Take it until the time is up."""
    until = time.monotonic() + seconds
    if what == "cpu":
        while time.monotonic() < until:
            pass
        return
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text(str(_FIRST), "ascii")
    with mmap.mmap(-1, size) as held:
        for start in range(0, size, mmap.PAGESIZE):
            held[start] = 1
        time.sleep(max(0.0, until - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
