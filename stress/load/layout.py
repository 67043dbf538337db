"""The arrays of the epoll reactor, and how its functions are compiled."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from stress.load.result import Outcome

P = ParamSpec("P")
R = TypeVar("R")

CONNECTION = np.dtype(
    [
        ("fd", "i4"),
        ("target", "i4"),
        ("state", "u1"),
        ("body", "u1"),  # how the reply's end is found
        ("chunk", "u1"),  # where in a chunked body
        ("closing", "u1"),  # the peer will not take another request
        ("partial", "u1"),  # bytes of this reply were let go
        ("status", "i4"),
        ("prev", "i4"),  # neighbours in the ring of free connections
        ("next", "i4"),
        ("arrival", "i8"),  # being served
        ("written", "i8"),  # bytes of its request
        ("got", "i8"),  # bytes of the reply that were read and kept
        ("body_at", "i8"),  # of these, how many are its head
        ("left", "i8"),  # bytes of the body, or of the chunk, still to come
        ("since", "i8"),  # start of the attempt to connect
        ("retry", "i8"),  # when to connect again
    ],
    align=True,
)
TARGET = np.dtype(
    [
        ("address", "u8"),
        ("address_length", "i4"),
        ("family", "i4"),
        ("first", "i4"),  # ring of free connections
        ("last", "i4"),
        ("waiting", "i8"),  # queue of arrivals without a connection
        ("waiting_last", "i8"),
        ("alive", "i8"),  # connections open or being opened
    ],
    align=True,
)
SLOT = np.dtype([("arrival", "i8"), ("length", "i8")])  # a reply set aside for its body check
SOURCES = (
    "bodies.py",
    "calls.py",
    "digits.py",
    "layout.py",
    "libc.py",
    "queues.py",
    "reactor.py",
    "replies.py",
    "tables.py",
)
FINGERPRINT = zlib.crc32(b"".join(Path(__file__).with_name(name).read_bytes() for name in SOURCES))

LOOP_FIELDS = (
    "epoll",
    "opening",  # only connections are wanted, not arrivals
    "stop",  # asked for
    "stopped",  # done
    "next",  # arrival to take up
    "total",  # arrivals that have a time
    "unsettled",
    "connecting",
    "open",
    "end",
    "measured",  # what is due before is warm-up
    "timeout",
    "think",  # -1 in an open phase
    "per_target",  # a next arrival is like the one that it follows
    "sweep_at",
    "pace",  # connections to open in one sweep
    "stall",
    "put",  # sampled replies set aside
    "taken",  # of these, how many were collected
    "sample_every",
    "unchecked",
    "same",  # replies whose body is the one that passed its check last
    "parts",  # addresses of split replies, of slots and of bodies that passed
    "slots",
    "passed",
    "part",  # of the schedule's arrivals, this process has every `processes`-th from this one on
    "processes",
    # numba's disk cache knows a compiled function by its own file and its types alone.  A field named after the
    # sources makes a change in any of them a change of type, so that stale machine code is never run.
    f"sources_{FINGERPRINT:08x}",
)
LOOP = np.dtype([(name, "i8") for name in LOOP_FIELDS])

CLOSED, CONNECTING, FREE, BUSY = range(4)
HEAD, LENGTH, CHUNKED, UNTIL_CLOSE = range(4)
CHUNK_SIZE, CHUNK_LINE, CHUNK_DATA, CHUNK_END, TRAILER, TRAILER_LINE = range(6)
INCOMPLETE, MALFORMED = -1, -2

ROW = 1 << 16  # most bytes of a reply that are kept
EVENTS = 256
ADMIT_MAX = 64  # arrivals taken up between two looks at the sockets
CONNECTING_MAX = 64
SWEEP_NS = 10_000_000
RETRY_NS = 100_000_000
SECOND_NS = 1_000_000_000

DONE, CONNECT, RESET = int(Outcome.DONE), int(Outcome.CONNECT), int(Outcome.RESET)
HTTP_4XX, HTTP_5XX, HTTP_OTHER = int(Outcome.HTTP_4XX), int(Outcome.HTTP_5XX), int(Outcome.HTTP_OTHER)
TIMEOUT, UNSENT = int(Outcome.TIMEOUT), int(Outcome.UNSENT)


class Tables(NamedTuple):
    """Everything the reactor reads and writes."""

    loop: NDArray[np.void]  # (1,) LOOP
    conns: NDArray[np.void]  # (connections,) CONNECTION
    row: NDArray[np.uint8]  # (ROW,) every reply is read here
    targets: NDArray[np.void]  # (targets,) TARGET
    requests: NDArray[np.void]  # (requests,)
    wire: NDArray[np.uint8]  # the bytes of all requests
    arrivals: NDArray[np.void]
    counts: NDArray[np.int64]  # (2, targets, COLUMNS): measured, warm-up
    slots: NDArray[np.void]  # (n,) SLOT
    lengths: NDArray[np.int64]  # (2 * requests,) of bodies that passed; two rows a request, so that one can be written
    words: NDArray[np.int64]  # clock, wait
    events: NDArray[np.int32]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile to run without the interpreter's lock; cached on disk."""
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True)(function))
