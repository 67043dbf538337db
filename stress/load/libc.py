"""The Linux system calls of the epoll generator, callable from compiled code.

numba links them by symbol, so code that calls them can be cached on disk.  Pointers are passed as integers.
"""

import platform
from collections.abc import Callable
from typing import Any, cast

import numba
from numba import types

INT, SIZE, POINTER = types.intc, types.intp, types.uintp


def external(name: str, result: types.Type, *arguments: types.Type) -> Callable[..., Any]:
    """A C function by its symbol.  Its result is an integer, or a pointer where it says so."""
    return cast("Callable[..., Any]", types.ExternalFunction(name, result(*arguments)))


clock_gettime = external("clock_gettime", INT, INT, POINTER)
epoll_ctl = external("epoll_ctl", INT, INT, INT, INT, POINTER)
socket = external("socket", INT, INT, INT, INT)
connect = external("connect", INT, INT, POINTER, types.uint32)
setsockopt = external("setsockopt", INT, INT, INT, INT, POINTER, types.uint32)
getsockopt = external("getsockopt", INT, INT, INT, INT, POINTER, POINTER)
send = external("send", SIZE, INT, POINTER, SIZE, INT)
recv = external("recv", SIZE, INT, POINTER, SIZE, INT)
close = external("close", INT, INT)
prctl = external("prctl", INT, INT, SIZE, SIZE, SIZE, SIZE)
memcpy = external("memcpy", POINTER, POINTER, POINTER, SIZE)
memcmp = external("memcmp", INT, POINTER, POINTER, SIZE)
syscall = external("syscall", SIZE, SIZE, SIZE, POINTER, SIZE, POINTER, SIZE, SIZE)
errno_location = external("__errno_location", types.CPointer(types.int32))  # type: ignore[no-untyped-call]

carray: Callable[..., Any] = numba.carray  # type: ignore[attr-defined]

SYS_EPOLL_PWAIT2 = 441  # the same on every architecture; takes a timespec, so waits are not rounded to milliseconds
CLOCK_MONOTONIC = 1
PR_SET_TIMERSLACK = 29
SOCK_STREAM_NONBLOCK_CLOEXEC = 0o2004001
IPPROTO_TCP, TCP_NODELAY = 6, 1
SOL_SOCKET, SO_ERROR = 1, 4
MSG_NOSIGNAL = 0x4000
EAGAIN, EINTR, EINPROGRESS = 11, 4, 115
EPOLL_CTL_ADD = 1
EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP = 0x1, 0x4, 0x8, 0x10, 0x2000
EPOLLET = -(1 << 31)  # as a signed 32-bit flag

# struct epoll_event as 32-bit words: flags, then 64 bits of user data; packed on x86-64, padded elsewhere.
EVENT_WORDS, EVENT_DATA = (3, 1) if platform.machine() == "x86_64" else (4, 2)
