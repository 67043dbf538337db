"""What a generator is: the one interface of the epoll and the asyncio implementation."""

import sys
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stress.load.errors import LoadError
from stress.load.plan import LoadPlan
from stress.load.tables import Bout, Mix


class Sample(NamedTuple):
    """A reply whose body is to be checked: which arrival it answers, of which request, and whether in the warm-up."""

    arrival: int
    choice: int
    warm: bool
    body: bytes


class Generator(Protocol):
    """Holds the connections of a plan and sends its phases.

    `open` and `drive` block the calling thread; the other members may be used from another thread meanwhile.
    """

    name: str

    @property
    def counts(self) -> NDArray[np.int64]:
        """Shape (2, targets, tables.COLUMNS): of the measured part and of the warm-up, since the last `drive` began.

        OPEN is a gauge.
        """

    def open(self, limit_ns: int) -> int:
        """Open the connections; returns how many are open once all are, or at CLOCK_MONOTONIC `limit_ns`."""

    def drive(self, bout: Bout) -> None:
        """Send one phase; returns when its end has passed and every scheduled arrival is settled."""

    def stop(self) -> None:
        """Schedule nothing more, now and in later phases."""

    def samples(self) -> list[Sample]:
        """The sampled replies that came in since the last call, but for those whose body had passed already."""

    def learn(self, choice: int, body: bytes) -> None:
        """This reply to this request has passed its check; another that is equal to it need not be handed out."""

    def same(self) -> int:
        """Sampled replies of this phase that were equal to a body that had passed."""

    def unchecked(self) -> int:
        """Sampled replies of this phase that could not be kept for their check."""

    def stall_ns(self) -> int:
        """The longest that this phase's loop kept an event waiting, so far."""

    def close(self) -> None:
        """Close every connection."""


def make_generator(plan: LoadPlan, mix: Mix, name: str = "") -> Generator:
    """The named generator, "epoll" or "asyncio"; by default epoll where the system has it.

    Raises LoadError when epoll is named and this system lacks it.
    """
    if name != "asyncio" and sys.platform == "linux":
        from stress.load.epoll import EpollGenerator, usable

        if usable():
            return EpollGenerator(plan, mix)
    if name == "epoll":
        raise LoadError("The epoll generator cannot run.", "It needs Linux 5.11 or newer.", "Use asyncio instead.")
    from stress.load.portable import AsyncioGenerator

    return AsyncioGenerator(plan, mix)
