"""A process that gets a share of its time: seen by the kernel's word, healed, never left stopped."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import busfleet
import pytest
from busfleet import BusFleet
from hypothesis import given
from hypothesis import strategies as st

from engines.fleet import process
from stress.faults import slow_consumer
from stress.faults.fault import Fault, identify
from stress.faults.slow_consumer import KIND, Spec, next_stop, throttle
from stress.faults.undo import UndoJournal


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process that computes all the time."""
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def fleet_of(child: subprocess.Popen[bytes], home: Path) -> BusFleet:
    home.mkdir(exist_ok=True)
    return BusFleet(home, (("risk", child.pid, 0),))


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_share_and_then_all_again(busy: subprocess.Popen[bytes], tmp_path: Path, share: float) -> None:
    journal = UndoJournal(tmp_path)
    fault = Fault("f", "slow-consumer", "risk", 1.0, {"share": share})
    done = KIND.inject(fault, fleet_of(busy, tmp_path), journal)
    assert done.proven, done.proof
    assert journal.pending() == (done.undo,)
    assert done.undo is not None
    back = KIND.heal(done.undo, journal)
    assert back.proven, back.proof
    assert journal.pending() == () and busfleet.gone(done.undo, "keeper_pid", "keeper_start")
    assert KIND.heal(done.undo, journal).proven


def test_a_throttle_that_does_next_to_nothing_is_not_proven(
    busy: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_consumer, "Spec", lambda **facts: Spec(**(facts | {"share": 0.95})))
    journal = UndoJournal(tmp_path)
    done = KIND.inject(Fault("f", "slow-consumer", "risk"), fleet_of(busy, tmp_path), journal)
    assert not done.proven, done.proof
    assert done.undo is not None and KIND.heal(done.undo, journal).proven


def test_healing_that_leaves_it_throttled_is_not_proven(
    busy: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = UndoJournal(tmp_path)
    done = KIND.inject(Fault("f", "slow-consumer", "risk"), fleet_of(busy, tmp_path), journal)
    assert done.undo is not None
    with monkeypatch.context() as broken:
        broken.setattr("stress.faults.keeper.end", lambda *_: True)
        assert not KIND.heal(done.undo, journal).proven
    assert KIND.heal(done.undo, journal).proven


def test_a_fresh_process_heals_what_a_killed_one_has_injected(busy: subprocess.Popen[bytes], tmp_path: Path) -> None:
    fleet = fleet_of(busy, tmp_path)
    undo = busfleet.inject_and_die("stress.faults.slow_consumer:KIND", Fault("f", "slow-consumer", "risk"), fleet)
    assert slow_consumer.watched(identify(busy.pid), 0.5)[0] > 0.5  # it goes on without its operator
    back = KIND.heal(undo, UndoJournal(tmp_path))
    assert back.proven, back.proof
    assert busfleet.gone(undo, "keeper_pid", "keeper_start")


def test_a_keeper_that_was_killed_leaves_nothing_stopped_after_healing(
    busy: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    journal = UndoJournal(tmp_path)
    done = KIND.inject(Fault("f", "slow-consumer", "risk", None, {"share": 0.05}), fleet_of(busy, tmp_path), journal)
    assert done.undo is not None
    own = process.Identity(int(done.undo.facts["keeper_pid"]), int(done.undo.facts["keeper_start"]))
    busfleet.until(lambda: process.stopped(busy.pid), "never stopped")
    process.send(own, signal.SIGKILL)
    process.send(identify(busy.pid), signal.SIGSTOP)  # as the keeper may have left it
    assert KIND.heal(done.undo, journal).proven
    assert not process.stopped(busy.pid)


def test_the_end_of_the_engine_is_the_end_of_the_fault(busy: subprocess.Popen[bytes], tmp_path: Path) -> None:
    journal = UndoJournal(tmp_path)
    done = KIND.inject(Fault("f", "slow-consumer", "risk"), fleet_of(busy, tmp_path), journal)
    busy.kill()
    busy.wait()
    assert done.undo is not None
    busfleet.until(lambda: busfleet.gone(done.undo, "keeper_pid", "keeper_start"), "the keeper stays")
    back = KIND.heal(done.undo, journal)
    assert back.proven and "had ended" in back.proof
    assert journal.pending() == ()


def test_held_is_the_kernels_word(busy: subprocess.Popen[bytes]) -> None:
    assert not slow_consumer.held(busy.pid)
    process.send(identify(busy.pid), signal.SIGSTOP)
    assert slow_consumer.held(busy.pid)  # at once: the stop is pending, whenever it is carried out
    process.send(identify(busy.pid), signal.SIGCONT)
    assert not slow_consumer.held(busy.pid)


@given(st.floats(0.05, 0.95), st.floats(0.01, 0.3), st.lists(st.floats(0, 0.2), max_size=60))
def test_a_late_keeper_makes_up_for_it_and_then_keeps_its_share(
    share: float, period_s: float, late: list[float]
) -> None:
    spec = Spec(pid=1, start=1, share=share, period_s=period_s, lifetime_s=1)
    ran = stopped = 0.0
    cycles = []
    for lateness in [*late, *[0.0] * 300]:
        stop, run = next_stop(spec, ran, stopped), period_s * share + lateness
        assert 0 <= stop <= slow_consumer._LONGEST_S
        stopped, ran = stopped * slow_consumer._MEMORY + stop, ran * slow_consumer._MEMORY + run
        cycles.append((stop, run))
    stops, runs = (sum(column) for column in zip(*cycles[-50:], strict=True))
    assert stops / (stops + runs) == pytest.approx(1 - share, abs=0.01)


def test_a_keeper_that_was_late_stops_longer_the_next_time() -> None:
    spec = Spec(pid=1, start=1, share=0.5, period_s=0.1, lifetime_s=1)
    assert next_stop(spec, 0.0, 0.0) == pytest.approx(0.05)
    assert next_stop(spec, 0.15, 0.05) == pytest.approx(0.15)  # it ran 0.1 s too long
    assert next_stop(spec, 0.05, 0.3) == 0.0


def test_the_time_of_a_throttle_ends(busy: subprocess.Popen[bytes]) -> None:
    victim = identify(busy.pid)
    spec = Spec(pid=victim.pid, start=victim.start, share=0.05, period_s=0.05, lifetime_s=0.2)
    throttle(spec, threading.Event())
    assert not process.stopped(victim.pid)


@pytest.mark.parametrize(
    ("target", "parameters", "mistake"),
    [
        ("bus-main", {}, "bus-main consumes nothing"),
        ("risk", {"share": 1}, "share = 1: a number from 0.05 to 0.95"),
        ("risk", {"period_ms": 1000}, "period_ms = 1000: a number from 10 to 400"),
    ],
)
def test_what_cannot_be_is_told(target: str, parameters: dict[str, float], mistake: str) -> None:
    assert mistake in "\n".join(KIND.mistakes(target, parameters))
    assert list(KIND.mistakes("risk", {"share": 0.5})) == []
