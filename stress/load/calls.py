"""The clock and the error number, compiled."""

from stress.load import libc
from stress.load.layout import SECOND_NS, Tables, kernel


@kernel
def clock(t: Tables) -> int:
    libc.clock_gettime(libc.CLOCK_MONOTONIC, t.words.ctypes.data)
    return int(t.words[0] * SECOND_NS + t.words[1])


@kernel
def errno() -> int:
    return int(libc.carray(libc.errno_location(), 1)[0])
