"""What is recorded beside an engine's own account: from a bus in memory and a fleet that answers from a table."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from engines.fleet.status import EngineStatus
from engines.wire.bus import Commit, Counts, Ledger, MemoryBus, Output
from engines.wire.health import BusHealth, HealthReport
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS
from reports import records
from stress import witness
from stress.fleet import EngineRefused, MissionFleet

RISK = Manifest(name="risk", title="Risk", port=8200, consumes=("trades", "orders"))
FOREIGN = Manifest(name="web", title="Web", port=9300, command=("x",))


def status(name: str) -> EngineStatus:
    return EngineStatus(
        name=name, title=name, state="ready", wanted=True, pid=11, uptime_s=30.0, restarts=0, rss_mb=None,
        cpu_percent=None, port=8200, critical=False, boot_s=1.0, cause="", waits_for=(),
    )  # fmt: skip


def report(processed: int, lag: int = 0, pid: int = 11) -> bytes:
    return msgspec.json.encode(
        HealthReport(
            name="risk", title="Risk", port=8200, status="healthy", pid=pid, started_at="", uptime_s=29.0, version="1",
            counters={"processed": processed, "dead_letters": 0}, bus=BusHealth(True, lag),
        )
    )  # fmt: skip


class Fleet(MissionFleet):
    """Answers from a list; the last answer holds."""

    def __init__(self, *answers: bytes | None) -> None:
        super().__init__(Path("/nowhere"))
        self.answers = list(answers)

    def refresh(self) -> SimpleNamespace:  # type: ignore[override] # what the witness takes of it
        return SimpleNamespace(wanted=(status("risk"), status("web")))

    def exchange(self, engine: str, method: str, path: str, *_: object) -> tuple[int, bytes]:
        assert (engine, method, path) == ("risk", "GET", "/health")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise EngineRefused("no answer")
        return 200, answer


async def publish(buses: dict[str, MemoryBus], topic: str, count: int) -> None:
    await buses[TOPICS[topic]].append([(Output(topic, b"h", b"b"), f"{n + 1}-0") for n in range(count)])


async def commit(buses: dict[str, MemoryBus], processed: int, **cursors: str) -> None:
    saved = await buses["main"].claim("risk")
    ledger = msgspec.msgpack.encode(Ledger({"trades": Counts(processed, processed)}))
    await buses["main"].commit(Commit(owner="risk", epoch=saved.epoch, cursors=cursors, ledger=ledger))


def heard(fleet: Fleet, buses: dict[str, MemoryBus]) -> records.Testimony:
    found = asyncio.run(witness.hear(fleet, buses, (RISK, FOREIGN)))
    assert [row.engine for row in found] == ["risk"], "a foreign engine has no ledger to be compared with"
    return found[0]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "STILL_S", 0.01)


@pytest.fixture
def buses() -> dict[str, MemoryBus]:
    made = {"main": MemoryBus(), "market": MemoryBus()}
    asyncio.run(publish(made, "trades", 5))
    return made


def test_an_engine_that_is_level_is_asked_once(buses: dict[str, MemoryBus]) -> None:
    asyncio.run(commit(buses, 5, trades="5-0"))
    row = heard(Fleet(report(5), report(7)), buses)
    assert (row.said_processed, row.processed, row.unread, row.said_pid, row.pid) == (5, 5, 0, 11, 11)
    assert row.still_s > 0 and (row.said_uptime_s, row.age_s) == (29.0, 30.0)


def test_what_lies_behind_its_cursors_is_counted_whatever_it_says(buses: dict[str, MemoryBus]) -> None:
    asyncio.run(commit(buses, 2, trades="2-0"))
    row = heard(Fleet(report(1_000_000, pid=7)), buses)
    assert (row.unread, row.said_lag, row.processed, row.said_processed, row.said_pid) == (3, 0, 2, 1_000_000, 7)
    assert row.still_s > 0, "three looks, and nothing moved"


def test_a_report_that_is_a_second_old_is_asked_for_again(buses: dict[str, MemoryBus]) -> None:
    asyncio.run(commit(buses, 5, trades="5-0"))
    assert heard(Fleet(report(4), report(5)), buses).said_processed == 5


def test_an_engine_that_says_nothing_is_no_liar(buses: dict[str, MemoryBus]) -> None:
    asyncio.run(commit(buses, 5, trades="5-0"))
    for answer in (None, b"{"):
        row = heard(Fleet(answer), buses)
        assert (row.status, row.said_pid, row.said_processed, row.processed) == (None, None, None, 5)


def test_while_its_account_moves_it_is_not_compared(
    buses: dict[str, MemoryBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = iter(range(10))

    async def look(_buses: object, _manifest: object) -> witness.Known:
        return witness.Known(next(moving), 0, {"trades": "2-0"}, ("trades",))

    monkeypatch.setattr(witness, "look", look)
    assert heard(Fleet(report(99)), buses).still_s == 0.0
