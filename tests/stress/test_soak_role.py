"""A soak's replays go on, its samples are of what is there, and its plan is of three equal parts."""

import asyncio
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engines.wire.errors import NautilusError
from engines.wire.messages import KEPT, TOPICS
from stress.load.plan import OpenPhase, Request, Target, mistakes
from stress.mission import MissionErrors, load, parse
from stress.roles import calm, soak
from stress.roles.calm import Calm
from stress.run import Run
from stress.specs.soak import Soak

AIMS = tuple(Target(f"e{n}", 8000 + n, (Request("/health"),), 5) for n in range(13))


class Tape:
    """A marketdata that replays at once; `fails` from so many replays on."""

    def __init__(self, fails: int = 99) -> None:
        self.began: list[dict[str, Any]] = []
        self.state = "idle"
        self._fails = fails

    def post(self, engine: str, path: str, body: dict[str, Any]) -> None:
        assert engine == "marketdata"
        if path == "/replay/stop":
            self.state = "finished"
        else:
            assert self.state != "running", "one replay at a time"
            self.began.append(body)
            self.state = "failed" if len(self.began) >= self._fails else "running"

    def get(self, engine: str, path: str) -> dict[str, Any]:
        assert (engine, path) == ("marketdata", "/replay")
        published = {"trades": 5} if self.state == "running" else {}
        return {
            "state": self.state, "segment": "window", "published": published, "replay": len(self.began), "error": "no",
        }  # fmt: skip


def calm_of(tape: Tape, monkeypatch: pytest.MonkeyPatch, lasts_s: float) -> Calm:
    monkeypatch.setattr(calm, "_HOURS_S", lasts_s)
    monkeypatch.setattr(calm, "_SPARE_S", 0.0)
    run: Any = SimpleNamespace(fleet=tape, seed=7)
    return Calm(run, "flash-crash-2010", 1.0)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


def test_a_replay_that_is_over_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape()

    async def through() -> None:
        own = calm_of(tape, monkeypatch, 0.01)
        await own.begin()
        await until(lambda: own.number >= 3)
        await own.end()

    asyncio.run(through())
    assert len(tape.began) >= 3 and tape.state == "finished"
    assert tape.began[0]["window"] == {"start": "10:00:00", "end": "14:30:00", "speed": 1.0}
    assert all(request == tape.began[0] for request in tape.began)


def test_replays_that_do_not_go_on_end_the_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape(fails=2)

    async def through() -> None:
        own = calm_of(tape, monkeypatch, 0.01)
        await own.begin()
        await until(lambda: tape.state == "failed")
        await asyncio.sleep(0.05)
        await own.end()

    with pytest.raises(NautilusError, match="does not go on"):
        asyncio.run(through())


def test_a_sample_is_of_the_processes_that_are_there() -> None:
    sizes, files = soak._processes({"own": os.getpid(), "gone": 2**22 + 1})
    assert sizes.keys() == files.keys() == {"own"}
    assert sizes["own"] > 1_000_000 and files["own"] >= 3


def test_streams_that_nobody_trims_are_not_asked_to_stay_short() -> None:
    run: Any = SimpleNamespace(manifests=Run.manifests)
    begun = soak._begun(run, Soak())
    assert set(begun.trimmed) <= TOPICS.keys() - KEPT
    assert {"trades", "quotes", "bars"} <= set(begun.trimmed)
    assert begun.parts == ["soak-first", "soak-middle", "soak-last"]


def test_its_generator_has_as_many_processes_as_it_says() -> None:
    spec = Soak(processes=3, seconds=90.0)
    made = soak.plan(spec, "soak-first", AIMS, 7)
    (phase,) = made.phases
    assert isinstance(phase, OpenPhase) and phase.rate == (260.0,) * 30
    assert made.processes == 3 and not mistakes(made)
    assert soak.plan(Soak(), "soak-first", AIMS, 7).processes == 1
    assert all(", 3 generator processes" in step.what for step in spec.plan() if step.name != "soak-after")
    assert list(Soak(processes=6).mistakes()) == ["processes: 6, which needs 78 connections to 13 engines"]
    assert not list(Soak(processes="auto").mistakes())


def test_a_soak_has_three_parts_and_samples_in_each() -> None:
    mission = load("soak").varied(quick=True)
    (spec,) = mission.of(Soak)
    assert (spec.seconds, spec.sample_s) == (60, 2)
    assert [step.name for step in spec.plan()] == ["soak-first", "soak-middle", "soak-last", "soak-after"]
    assert load("soak").varied(full=True).of(Soak)[0].seconds == 8 * 3600
    text = """name = "x"
title = "x"
summary = "x"
seed = 1
phases = [{ role = "soak", seconds = 60, sample_s = 30, scenario = "flash-crash-2011" }]
criteria = [{ id = "memory-growth" }]"""
    with pytest.raises(MissionErrors) as caught:
        parse(text)
    assert len(caught.value.mistakes) == 2
