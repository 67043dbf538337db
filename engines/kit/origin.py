"""Which request over HTTP the code that is running answers: of those that change something, and of no others."""

from contextvars import ContextVar
from typing import NamedTuple


class Origin(NamedTuple):
    """A request: its id, and when it arrived at this engine (CLOCK_MONOTONIC)."""

    request: str
    arrived_ns: int


ORIGIN: ContextVar[Origin | None] = ContextVar("origin", default=None)
"""Set by the front for as long as such a request is answered; tasks that begin meanwhile inherit it."""


def current() -> Origin | None:
    """The request that is being answered; None: none that changes anything."""
    return ORIGIN.get()
