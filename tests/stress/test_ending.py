"""Signals of a mission, noted; and the end of its fleet, however far its start had come."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from engines.fleet.errors import TimedOut
from engines.fleet.status import FleetStatus
from engines.wire.errors import NautilusError
from stress.ending import SAME_S, Asked, end_fleet, heard
from stress.fleet import MissionFleet
from stress.unheard import NUMBERS


def test_the_first_signal_asks_and_a_later_one_hurries() -> None:
    now = [10.0]
    asked = Asked(lambda: now[0])
    assert asked.first is None and not asked.hurry
    asked.note(signal.SIGTERM)
    now[0] += 0.9 * SAME_S
    asked.note(signal.SIGINT)
    assert asked.first is signal.SIGTERM and not asked.hurry  # `timeout` tells the process, then its group
    now[0] += 0.2 * SAME_S
    asked.note(signal.SIGINT)
    assert asked.first is signal.SIGTERM and asked.hurry


def test_signals_are_heard_inside_and_as_before_outside() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with heard() as asked:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGINT)
        assert asked.first is signal.SIGHUP
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_was_ignored_stays_ignored(number: signal.Signals) -> None:
    """As `nohup` and a script's `&` mean it."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with heard() as asked:
            os.kill(os.getpid(), number)
            assert asked.first is None
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_thread_hears_nothing() -> None:
    found: list[signal.Signals | None] = []

    def work() -> None:
        with heard() as asked:
            found.append(asked.first)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]


def test_a_loop_answers_what_came_before_it_and_what_comes() -> None:
    async def main() -> list[bool]:
        answers: list[bool] = []
        with asked.waking(lambda: answers.append(asked.hurry)):
            await asyncio.sleep(0.01)
            now[0] += 1.0
            asked.note(signal.SIGINT)
            await asyncio.sleep(0.01)
        asked.note(signal.SIGINT)
        return answers

    now = [0.0]
    asked = Asked(lambda: now[0])
    asked.note(signal.SIGINT)
    assert asyncio.run(main()) == [False, True]
    asked.note(signal.SIGINT)  # the loop is closed


class Fleet(MissionFleet):
    """Stops once it is `up`; gracefully it never does."""

    def __init__(self, *, up: bool) -> None:
        super().__init__(Path("nowhere"))
        self.up_now = threading.Event()
        self.stopped = threading.Event()
        self.asked: list[bool] = []
        if up:
            self.up_now.set()

    def down(self, *, now: bool = False) -> None:
        self.asked.append(now)
        if not self.up_now.is_set():
            return  # nobody hears it
        if now:
            self.stopped.set()
        if not self.stopped.wait(20.0):
            raise TimedOut("It does not end.")


def test_haste_is_taken_from_when_it_is_asked_for() -> None:
    async def main() -> None:
        ending = asyncio.create_task(end_fleet(fleet, None, asked, now=False))
        await asyncio.sleep(0.2)
        assert fleet.asked == [False]
        asked.hurry = True
        await ending

    fleet, asked = Fleet(up=True), Asked()
    asyncio.run(main())
    assert fleet.asked == [False, True]


def test_a_fleet_that_is_only_being_started_is_stopped_all_the_same() -> None:
    """Its supervisor comes after the first word to stop, which nobody has heard."""

    def start() -> FleetStatus:
        while not fleet.asked:
            pass
        fleet.up_now.set()
        fleet.stopped.wait(20.0)
        raise NautilusError("It was stopped.")

    async def main() -> None:
        booting = asyncio.ensure_future(asyncio.to_thread(start))
        await end_fleet(fleet, booting, Asked(), now=True)
        assert booting.done()

    fleet = Fleet(up=False)
    asyncio.run(main())
    assert fleet.stopped.is_set() and len(fleet.asked) > 1
