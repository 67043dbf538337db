"""The phase of faults as data, and what is seen of a fleet in the meantime."""

import threading
import time
from collections.abc import Iterator

import pytest

from engines.fleet.status import EngineHealth, Event
from engines.wire.errors import NotRunning
from engines.wire.health import Check
from engines.wire.manifest import discover
from stress.faults.watch import Watch
from stress.mission import MissionErrors, load, parse
from stress.specs.faults import Faults

ENGINES = [manifest.name for manifest in discover()]


def test_the_failover_mission_has_every_fault_of_the_matrix() -> None:
    matrix = load("failover").of(Faults)[0].matrix()
    wanted = {(kind, name) for kind in ("kill", "pause") for name in (*ENGINES, "bus-main", "bus-market")}
    assert set(matrix) == wanted | {("kill", "supervisor")}
    assert len(matrix) == len(set(matrix)) == 2 * len(ENGINES) + 5
    assert matrix[-1] == ("kill", "supervisor")
    quick = load("failover").varied(quick=True).of(Faults)[0]
    assert {kind for kind, _ in quick.matrix()} == {"kill"}


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (('targets = ["engines"', 'targets = ["rsik"'), "There is no target 'rsik'. Did you mean 'risk'?"),
        (
            ('kinds = ["kill", "pause"]', 'kinds = ["kil"]'),
            "phases[1].kinds: There is no kind of fault 'kil'. Did you mean 'kill'?",
        ),
        (('kinds = ["kill", "pause"]', "kinds = []"), "phases[1].kinds: one at least"),
        (('kinds = ["kill", "pause"]', 'kinds = ["pause"]'), "a paused supervisor is not noticed by anyone"),
    ],
)
def test_faults_that_cannot_be_are_told(change: tuple[str, str], mistake: str) -> None:
    from stress.mission import FOLDER

    text = (FOLDER / "failover.toml").read_text().replace('quick = { kinds = ["kill"] }\n', "")
    assert change[0] in text
    with pytest.raises(MissionErrors) as caught:
        parse(text.replace(*change))
    assert mistake in "\n".join(caught.value.mistakes)


class Fleet:
    """Events and health that a test feeds."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.status = "healthy"
        self.checks: tuple[Check, ...] = ()
        self.more = threading.Condition()

    def say(self, unit: str, state: str) -> int:
        """An event of a unit; the time just before it."""
        at = time.monotonic_ns()
        with self.more:
            event = Event(
                seq=len(self.events),
                elapsed_s=time.monotonic(),
                kind="unit",
                name=unit,
                state=state,
                detail="",
                ready=0,
                total=0,
            )
            self.events.append(event)
            self.more.notify_all()
        return at

    def follow(self) -> Iterator[Event]:
        place = 0
        while True:
            with self.more:
                if not self.more.wait_for(lambda: len(self.events) > place, 0.2):  # noqa: B023 - read at once
                    raise NotRunning("gone", "", "")
                event = self.events[place]
            place += 1
            yield event

    def health(self) -> list[EngineHealth]:
        known = {"response_ms": 1.0, "uptime_s": 1.0, "pid": 1, "restarts": 0}
        return [EngineHealth(name="risk", title="Risk", port=1, status=self.status, checks=self.checks, **known)]


def within(look, limit_s: float = 5.0):  # type: ignore[no-untyped-def]
    until = time.monotonic() + limit_s
    while (found := look()) is None and time.monotonic() < until:
        time.sleep(0.01)
    return found


def test_a_watch_stamps_what_came_after_the_injection_only() -> None:
    fleet = Fleet()
    fleet.say("risk", "crashed")  # of an earlier fault
    kept: list[str] = []
    watch = Watch(fleet.follow, fleet.health, lambda answers: kept.extend(answer.status for answer in answers))
    try:
        assert within(lambda: watch.well("risk", 0)) is not None
        injected = time.monotonic_ns()
        assert watch.lost("risk", injected) is None
        said = fleet.say("risk", "crashed")
        lost = within(lambda: watch.lost("risk", injected))
        assert lost is not None and lost >= said
        assert watch.lost("vpin", injected) is None
        fleet.status = "down"
        assert within(lambda: watch.unwell("risk", injected)) is not None
        fleet.say("risk", "starting")
        back = within(lambda: watch.back("risk", injected))
        fleet.status = "healthy"
        since = time.monotonic_ns()
        assert within(lambda: watch.well("risk", since)) is not None
        assert watch.lost("risk", since) is None  # the same event, heard again after a lost connection
        assert back is not None and back >= lost
    finally:
        watch.close()
    assert {"healthy", "down"} <= set(kept)


def test_a_watch_notices_a_check_that_is_no_longer_ok_and_not_one_that_was_bad_before() -> None:
    fleet = Fleet()
    fleet.checks = (Check("feed", "warn", "stale"), Check("clock", "ok", "steady"))
    watch = Watch(fleet.follow, fleet.health, lambda _: None)
    try:
        assert within(lambda: watch.well("risk", 0)) is not None
        injected = time.monotonic_ns()
        assert within(lambda: watch.well("risk", injected)) is not None
        assert watch.unwell("risk", injected) is None  # the feed was stale before
        fleet.checks = (Check("feed", "warn", "stale"), Check("clock", "warn", "stepped by -60 s"))
        noticed = within(lambda: watch.unwell("risk", injected))
        assert noticed is not None and noticed > injected
        changed = time.monotonic_ns()
        fleet.status = "degraded"
        assert within(lambda: watch.unwell("risk", changed)) is not None
        later = time.monotonic_ns()
        time.sleep(0.3)
        assert watch.unwell("risk", later) is None  # it was degraded already: another fault's trouble
    finally:
        watch.close()
