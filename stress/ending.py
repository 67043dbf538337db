"""How a mission ends before its time: signals are noted whenever they come and answered where it can be done in order.

The first one asks for the end, a second one for haste.  None raises anything, wherever the mission is: while it is
sealed, they wait.  A signal that is ignored at the start (nohup, a script's `&`) stays ignored.
"""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from engines.fleet.status import FleetStatus
from engines.wire.errors import NautilusError
from stress.fleet import MissionFleet
from stress.unheard import NUMBERS

SAME_S = 0.5
"""What comes so soon is the same word: `timeout` and a closing terminal tell a process and then its whole group."""
_LOOK_S = 0.1


class Asked:
    """Which signals came.  `first`: None until one did; `hurry`: another one was meant after it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.first: signal.Signals | None = None
        self.hurry = False
        self._clock, self._at = clock, 0.0
        self._wake: Callable[[], None] | None = None

    def note(self, number: int, _frame: FrameType | None = None) -> None:
        """A signal came: the handler, which may interrupt anything."""
        if self.first is None:
            self.first, self._at = signal.Signals(number), self._clock()
        elif self._clock() - self._at >= SAME_S:
            self.hurry = True
        if self._wake is not None:
            self._wake()

    @contextlib.contextmanager
    def waking(self, answer: Callable[[], None]) -> Iterator[None]:
        """Inside, a running event loop answers each signal, the one that came before as well."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(answer)

        self._wake = wake
        if self.first is not None:
            wake()
        try:
            yield
        finally:
            self._wake = None


@contextlib.contextmanager
def heard() -> Iterator[Asked]:
    """Inside, signals are noted; in a thread that gets none, none is."""
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    heeded = [number for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
    former = {number: signal.signal(number, asked.note) for number in heeded}
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


async def end_fleet(
    fleet: MissionFleet, booting: "asyncio.Future[FleetStatus] | None", asked: Asked, *, now: bool
) -> None:
    """Stop a fleet, one that is just being started too; a signal that asks for haste skips the grace from then on.

    Raises:
        NautilusError: it does not end.
    """
    stopping = asyncio.create_task(_down(fleet, booting, now=now or asked.hurry))
    hurried = asked.hurry
    while not (await asyncio.wait({stopping}, timeout=_LOOK_S))[0]:
        if asked.hurry and not hurried and not now:
            hurried = True
            await asyncio.to_thread(fleet.down, now=True)
    await stopping


async def _down(fleet: MissionFleet, booting: "asyncio.Future[FleetStatus] | None", *, now: bool) -> None:
    """Until whoever starts it has given up: before there is a supervisor, nobody hears of the end."""
    await asyncio.to_thread(fleet.down, now=now)
    if booting is None:
        return
    while not booting.done():
        await asyncio.wait({booting}, timeout=_LOOK_S)
        await asyncio.to_thread(fleet.down, now=now)
    with contextlib.suppress(NautilusError, TimeoutError):  # it was stopped on its way, which is no news
        booting.result()
