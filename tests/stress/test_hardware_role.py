"""The machine as records, the profile in the fleet's own home, and what an engine says of its device."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from engines.portfolio import acceleration
from engines.wire import machine, routing
from engines.wire.errors import NautilusError
from engines.wire.routing import Device, Profile, Timing, crossovers, curves
from reports import records
from stress.profiler.facts import NotAvailable
from stress.profiler.hardware import Hardware as Found
from stress.profiler.inventory import inventory
from stress.roles import hardware
from stress.roles.hardware import Question
from stress.specs.hardware import Hardware


def profile() -> Found:
    """A profile of this machine in which numba is four times as fast at three assets."""
    times = (
        Timing(kernel="covariance", size=3, device="numpy", median_s=4e-6, repeats=9, error=0.0),
        Timing(kernel="covariance", size=3, device="numba", median_s=1e-6, repeats=9, error=1e-16),
        Timing(kernel="covariance", size=3, device="numba-threads", why="its result deviates"),
    )
    facts = machine.facts()
    return Found(
        inventory=inventory(),
        at="2026-03-04T10:00:00+00:00",
        quick=True,
        fingerprint=machine.fingerprint(facts),
        host=facts,
        versions={"numpy": routing.installed("numpy") or ""},
        devices=(Device("numpy", "numpy"), Device("numba", "numba"), Device("cuda", "CuPy", "cupy is not installed")),
        timings=times,
        crossovers=crossovers("covariance", curves(times, "covariance")),
    )


def rig(home: Path, *, attached: bool = False) -> Any:
    """As much of a run as `prepare` needs."""
    kept: list[records.AnyRecord] = []
    fleet = SimpleNamespace(home=home, attached=attached)
    return SimpleNamespace(fleet=fleet, add=kept.append, say=lambda *_: None, kept=kept)


@pytest.mark.parametrize("attached", [False, True])
def test_the_fleet_reads_the_missions_profile_and_a_users_own_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attached: bool
) -> None:
    async def measured(*, brief: bool) -> Found:
        assert brief
        return profile()

    monkeypatch.setattr(hardware, "measured", measured)
    run = rig(tmp_path / "fleet", attached=attached)
    asyncio.run(hardware.prepare(run, Hardware()))
    assert (tmp_path / "fleet" / routing.FILE).exists() is not attached
    monkeypatch.setenv("NAUTILUS_STATE", str(tmp_path / "fleet" / "mission"))
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path / "user"))
    acceleration.covariances.cache_clear()
    try:
        assert acceleration.covariances().why == ("" if not attached else acceleration.covariances().why)
        assert bool(acceleration.covariances().why) is attached
    finally:
        acceleration.covariances.cache_clear()


def test_a_profile_becomes_records() -> None:
    made = list(hardware.found_records(profile()))
    of = {kind: [each for each in made if isinstance(each, kind)] for kind in (
        records.Inventory, records.Device, records.KernelTiming, records.Route,
    )}  # fmt: skip
    (what,) = of[records.Inventory]
    assert isinstance(what, records.Inventory)
    here = inventory()
    assert what.usable_cores == here.usable_cores
    told = {fact.name: fact for fact in what.facts}
    assert bool(told["GPUs"].why) is isinstance(here.gpus, NotAvailable)
    assert all(bool(fact.value) is not bool(fact.why) for fact in what.facts), "a fact, or why there is none"
    kinds = {each.name: (each.kind, each.why) for each in of[records.Device] if isinstance(each, records.Device)}
    assert kinds == {
        "numpy": ("reference", ""), "numba": ("compiled", ""), "cuda": ("gpu", "cupy is not installed"),
    }  # fmt: skip
    assert [(e.device, e.median_s, e.why) for e in of[records.KernelTiming] if isinstance(e, records.KernelTiming)] == [
        ("numpy", 4e-6, ""), ("numba", 1e-6, ""), ("numba-threads", None, "its result deviates"),
    ]  # fmt: skip
    (route,) = (each for each in of[records.Route] if isinstance(each, records.Route))
    assert (route.from_size, route.device, route.speedup, route.measured_at) == (0, "numba", pytest.approx(4.0), 3)
    assert all(records.decode(records.encode(each)) == each for each in made)


def test_an_engine_is_taken_at_the_word_that_follows_the_question() -> None:
    """Its health is composed once a second: what it said before it computed does not count."""
    said = [
        {"uptime_s": 5.0, "acceleration": {"device": "cpu", "kernel": "", "speedup_measured": None}},
        {"uptime_s": 5.0, "acceleration": {"device": "cpu", "kernel": "", "speedup_measured": None}},
        {"uptime_s": 6.0, "acceleration": {"device": "numba", "kernel": "covariance", "speedup_measured": 4.0}},
    ]
    asked: list[tuple[str, str]] = []

    def get(engine: str, path: str) -> Any:
        asked.append((engine, path))
        return said.pop(0) if path == "/health" else {}

    kept: list[records.AnyRecord] = []
    run: Any = SimpleNamespace(
        fleet=SimpleNamespace(get=get), add=kept.append, say=lambda *_: None, phase=lambda *_, **__: None
    )
    asyncio.run(hardware.carry_out(run, Hardware()))
    (found,) = kept
    assert isinstance(found, records.Accelerated)
    assert (found.engine, found.device, found.size, found.speedup) == ("portfolio", "numba", 3, 4.0)
    assert asked[0] == ("portfolio", "/efficient?symbols=AAPL,IBM,MSFT")


def test_an_engine_that_speaks_of_another_kernel_was_not_asked_its_size() -> None:
    asked = Question("portfolio", "/x", "covariance", 3)
    said = {"device": "numpy", "kernel": "vpin", "speedup_measured": None}
    assert hardware.used("hardware", asked, said).size == 0


def test_the_profilers_own_document_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short of timing: what its process prints is what `python -m stress.profiler` would."""
    before = profile()

    async def printed(command: list[str]) -> bytes:
        assert command[1:] == ["-m", "stress.profiler", "--quick"]
        plain = {name: getattr(before, name) for name in Profile.__struct_fields__}
        return msgspec.json.encode(Profile(**plain))

    monkeypatch.setattr(hardware, "printed", printed)
    found = asyncio.run(hardware.measured(brief=True))
    assert (found.timings, found.crossovers, found.devices) == (before.timings, before.crossovers, before.devices)
    assert found.inventory.usable_cores == before.inventory.usable_cores


def test_a_profiler_that_fails_says_why_and_ends_with_the_mission(tmp_path: Path) -> None:
    words = "import sys; sys.stderr.write('no numpy here'); sys.exit(1)"
    with pytest.raises(NautilusError, match="no numpy here"):
        asyncio.run(hardware.printed([sys.executable, "-c", words]))
    assert asyncio.run(hardware.printed([sys.executable, "-c", "print(7)"])) == b"7\n"
    mark = tmp_path / "pid"
    forks = f"import os, time, pathlib; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(60)"

    async def ended() -> None:
        task = asyncio.create_task(hardware.printed([sys.executable, "-c", forks]))
        for _ in range(1000):
            if mark.exists() and mark.read_text():
                break
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(ended())
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
