"""A bus whose file cannot grow: refused, healed, nothing lost, and what it says is what a full disk makes it say.

Run as a program it is a bus on a file system of its own that is filled (`facts_of_a_full_disk`).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import busfleet
import pytest
from busfleet import BusFleet

from engines.fleet import resp
from engines.wire.errors import BusError, UsageError
from stress.faults import bus_file, bus_server
from stress.faults.bus_file import KIND
from stress.faults.fault import Fault
from stress.faults.undo import UndoJournal

FAULT = Fault("f", "bus-file", "bus-market", 60.0)
REPOSITORY = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusFleet]:
    made = BusFleet(tmp_path_factory.mktemp("home")).up("market")
    yield made
    made.down()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[UndoJournal]:
    """What a test that fails leaves behind is taken back."""
    made = UndoJournal(tmp_path)
    yield made
    for undo in made.pending():
        KIND.heal(undo, made)


def refusal(link: resp.Connection, *command: str) -> str:
    """The first word of a refusal; empty when there is none."""
    try:
        link.ask(*command)
    except BusError as error:
        return error.why.split(" ")[0]
    return ""


def fill_up(link: resp.Connection) -> int:
    """Entries taken until the bus refuses one."""
    count = 0
    while not refusal(link, "XADD", "s", "*", "piece", "x" * 100):
        count += 1
        assert count < 100_000
    return count


def observed(link: resp.Connection, heal: Callable[[], object]) -> dict[str, object]:
    """What a bus says while its file cannot grow, and after."""
    count = fill_up(link)
    found = {
        "write": refusal(link, "XADD", "s", "*", "a", "b"),
        "ping": refusal(link, "PING"),
        "trim": refusal(link, "XTRIM", "s", "MAXLEN", "0"),
        "read": refusal(link, "XRANGE", "s", "-", "+"),
        "status": bus_server.fact(link, "persistence", "aof_last_write_status"),
        "kept": link.ask("XLEN", "s") == count,
    }
    heal()
    busfleet.until(lambda: not refusal(link, "XADD", "s", "*", "a", "b"), "still refused")
    found["healed"] = bus_server.fact(link, "persistence", "aof_last_write_status")
    found["kept after"] = link.ask("XLEN", "s") == count + 1
    return found


def test_nothing_is_written_until_it_is_healed_and_nothing_is_lost(fleet: BusFleet, journal: UndoJournal) -> None:
    with bus_server.connect(fleet.url_of("market")) as link:
        for number in range(100):
            link.ask("XADD", "kept", f"1-{number + 1}", "n", str(number))
        before = bus_file.limits(fleet.pids()["bus-market"])
        done = KIND.inject(FAULT, fleet, journal)
        assert done.proven and "MISCONF" in done.proof and "is err" in done.proof, done.proof
        assert journal.pending() == (done.undo,)
        assert bus_file.limits(fleet.pids()["bus-market"]) == (0, before[1])
        assert refusal(link, "XADD", "kept", "1-101", "n", "100") == "MISCONF"
        assert link.ask("XLEN", "kept") == 100
        assert done.undo is not None
        back = KIND.heal(done.undo, journal)
        assert back.proven and "a write is taken" in back.proof, back.proof
        assert bus_file.limits(fleet.pids()["bus-market"]) == before
        link.ask("XADD", "kept", "1-101", "n", "100")
        assert link.ask("EXISTS", "nautilus:file-probe") == 0
    assert journal.pending() == ()
    assert KIND.heal(done.undo, journal).proven
    fleet.kill("market")
    fleet.launch(fleet.url_of("market"))
    with bus_server.connect(fleet.url_of("market")) as link:
        assert link.ask("XLEN", "kept") == 101  # the file has all of it


def test_a_limit_that_was_not_set_is_not_proven(
    fleet: BusFleet, journal: UndoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_file, "_SEEN_S", 0.2)
    monkeypatch.setattr(bus_file, "limits", lambda *_: (-1, -1))
    done = KIND.inject(FAULT, fleet, journal)
    assert not done.proven and "a write is taken; aof_last_write_status is ok" in done.proof


def test_healing_that_sets_nothing_is_not_proven(
    fleet: BusFleet, journal: UndoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = KIND.inject(FAULT, fleet, journal)
    assert done.undo is not None
    with monkeypatch.context() as broken:
        broken.setattr(bus_file, "_HEALED_S", 0.2)
        broken.setattr(bus_file, "limits", lambda *_: (0, -1))
        assert not KIND.heal(done.undo, journal).proven
    assert journal.pending() == (done.undo,)
    assert KIND.heal(done.undo, journal).proven


def test_a_fresh_process_heals_what_a_killed_one_has_injected(fleet: BusFleet) -> None:
    undo = busfleet.inject_and_die("stress.faults.bus_file:KIND", FAULT, fleet)
    with bus_server.connect(fleet.url_of("market")) as link:
        assert refusal(link, "SET", "a", "b") == "MISCONF"  # the fault outlives its operator
        text = "import sys; from pathlib import Path; from stress.faults.heal import heal_pending; "
        text += "print(*heal_pending(Path(sys.argv[1])))"
        command = [sys.executable, "-c", text, str(fleet.home)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        assert "proven=True" in said and "a write is taken" in said, said
        assert refusal(link, "SET", "a", "b") == ""
    assert UndoJournal(fleet.home).pending() == () and undo.kind == "bus-file"


def test_a_bus_that_has_ended_needs_no_healing(tmp_path: Path, journal: UndoJournal) -> None:
    own = BusFleet(tmp_path / "home").up("market")
    done = KIND.inject(FAULT, own, journal)
    assert done.proven and done.undo is not None
    own.kill("market")
    back = KIND.heal(done.undo, journal)
    assert back.proven and "had ended" in back.proof
    assert journal.pending() == ()
    own.down()


def test_a_process_that_would_be_killed_is_refused(journal: UndoJournal, tmp_path: Path) -> None:
    victim = subprocess.Popen(["sleep", "60"])  # subprocess gives SIGXFSZ its default back
    fleet = BusFleet(tmp_path / "home")
    fleet._servers["market"] = victim.pid
    try:
        with pytest.raises(UsageError, match="would be killed by its first refused write"):
            KIND.inject(FAULT, fleet, journal)
        assert bus_file.limits(victim.pid)[0] != 0
        assert journal.pending() == ()
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()


@pytest.mark.parametrize(
    ("target", "parameters", "mistake"),
    [
        ("risk", {}, "it cannot be at 'risk', only at: bus-main, bus-market"),
        ("bus-main", {"headroom_mb": 1}, "headroom_mb: it takes no parameters"),
    ],
)
def test_what_cannot_be_is_told(target: str, parameters: dict[str, object], mistake: str) -> None:
    assert mistake in "\n".join(KIND.mistakes(target, parameters))
    assert list(KIND.mistakes("bus-main", {})) == []


def test_elsewhere_than_on_linux_it_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert any("needs Linux" in words for words in KIND.mistakes("bus-main", {}))


def facts_of_a_full_disk(folder: Path) -> dict[str, object]:
    """`observed` of a bus whose folder is a small file system that other data fill."""
    fleet = BusFleet(folder / "home")
    fleet.where.bus.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(fleet.where.bus)]
    subprocess.run(mount, check=True, capture_output=True)
    fleet.up("market")
    ballast = fleet.where.bus / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass
    except OSError as error:
        assert error.errno == 28, error  # ENOSPC
    try:
        with bus_server.connect(fleet.url_of("market")) as link:
            return observed(link, ballast.unlink)
    finally:
        fleet.down()


def test_it_is_to_the_bus_what_a_full_disk_is(tmp_path: Path, journal: UndoJournal) -> None:
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    may = [*apart, "mount", "-t", "tmpfs", "none", str(tmp_path)]
    try:
        subprocess.run(may, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system of our own here: {error}")
    env = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{Path(__file__).parent}"}
    asked = [*apart, sys.executable, __file__, str(tmp_path)]
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert ran.returncode == 0, ran.stderr
    own = BusFleet(tmp_path / "own").up("market")
    try:
        with bus_server.connect(own.url_of("market")) as link:
            done = KIND.inject(FAULT, own, journal)
            assert done.undo is not None
            undo = done.undo
            seen = observed(link, lambda: KIND.heal(undo, journal))
    finally:
        own.down()
    assert seen == json.loads(ran.stdout)
    assert seen["write"] == seen["ping"] == "MISCONF" and seen["read"] == "" and seen["status"] == "err"
    assert seen["healed"] == "ok" and seen["kept"] is seen["kept after"] is True


if __name__ == "__main__":
    sys.stdout.write(json.dumps(facts_of_a_full_disk(Path(sys.argv[1]))))
