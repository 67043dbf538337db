"""A damaged model's file on a real engine: refused by its checksum, told, and healed by what was kept."""

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.fleet import api, process
from engines.fleet.status import Event, FleetStatus
from engines.ml.daily import digest, trained_ridge
from engines.ml.forest import Forest, Tree
from engines.ml.shelf import Artefact, save
from engines.wire.errors import UsageError
from stress.faults import heal, model_file
from stress.faults.fault import Fault
from stress.faults.model_file import KIND
from stress.faults.undo import UndoJournal
from stress.fleet import FLEET, NAME, MissionFleet
from tests.stress.faults.partial import die_in, until

pytestmark = pytest.mark.skipif(not process.LINUX, reason="reads /proc")
FAULT = Fault("model", "corrupt-model", "ml", 60.0)


class Learning(MissionFleet):
    """A mission's fleet with the engine that keeps models."""

    def up(self, on_event: Callable[[Event], None]) -> FleetStatus:
        spec = api.FleetSpec(name=NAME, port_offset=None, home=self.home, drills=True, engines=("ml",))
        self.status = api.up(spec, on_event=on_event)
        return self.status


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run folder with a fleet whose model is there without training."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    fleet = Learning(folder / FLEET)
    status = fleet.up(lambda _: None)
    forest = Forest((Tree((), (), (), (), (0.25,)),))
    save(Path(status.paths.store) / "models", Artefact(digest(), trained_ridge()[1], forest))
    yield folder
    fleet.down(now=True)


@pytest.fixture
def fleet(run: Path) -> Iterator[MissionFleet]:
    fleet = Learning(run / FLEET)
    until(lambda: fleet.refresh().healthy)
    until(lambda: trees(fleet)[0] == "ok")
    yield fleet
    for undo in UndoJournal(run).pending():
        KIND.heal(undo, UndoJournal(run))


def trees(fleet: MissionFleet) -> tuple[str, str]:
    report = fleet.get("ml", "/health")
    return next((check["status"], check["detail"]) for check in report["checks"] if check["name"] == "trees")


def asked(fleet: MissionFleet, model: str) -> int:
    return fleet.exchange("ml", "GET", f"/predict?model={model}&symbol=AAPL", None)[0]


def files(fleet: MissionFleet) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (Path(fleet.refresh().paths.store) / "models").iterdir()}


def test_a_turned_byte_is_refused_and_told_until_the_kept_file_is_back(run: Path, fleet: MissionFleet) -> None:
    journal, before = UndoJournal(run), files(fleet)
    assert asked(fleet, "lightgbm") == http.client.OK
    done = KIND.inject(FAULT, fleet, journal)
    assert done.proven and done.undo is not None, done.proof
    assert "its check is fail" in done.proof and "404, naming the file" in done.proof
    assert journal.pending() == (done.undo,)
    assert asked(fleet, "lightgbm") == http.client.NOT_FOUND
    assert asked(fleet, "ridge") == http.client.OK  # the other one serves on
    until(lambda: fleet.get("ml", "/health")["status"] == "degraded")
    back = KIND.heal(done.undo, journal)
    assert back.proven and "is whole" in back.proof and "its check is ok" in back.proof, back.proof
    assert files(fleet) == before
    assert asked(fleet, "lightgbm") == http.client.OK
    assert journal.pending() == ()
    assert KIND.heal(done.undo, journal).proven


def test_a_fresh_process_heals_after_the_operators_own_death(run: Path, fleet: MissionFleet) -> None:
    die_in(run, FAULT)
    assert [undo.kind for undo in UndoJournal(run).pending()] == ["corrupt-model"]
    assert trees(fleet)[0] == "fail"
    (healed,) = heal.heal_pending(run.parent)
    assert (healed.kind, healed.target, healed.proven) == ("corrupt-model", "ml", True), healed
    assert heal.heal_pending(run.parent) == ()
    assert [each.holds for each in heal.steady(run.parent)] == [True]


def test_damage_that_was_not_done_is_not_proven(
    run: Path, fleet: MissionFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "turn", lambda _: 0)
    monkeypatch.setattr(model_file, "_SEEN_S", 1.5)
    done = KIND.inject(FAULT, fleet, UndoJournal(run))
    assert not done.proven and "its check is ok" in done.proof and "answers 200" in done.proof, done.proof


def test_a_kept_file_that_is_damaged_too_is_not_proven(
    run: Path, fleet: MissionFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = UndoJournal(run)
    monkeypatch.setattr(model_file, "_SEEN_S", 1.5)
    done = KIND.inject(FAULT, fleet, journal)
    assert done.undo is not None
    file = Path(str(done.undo.facts["file"]))
    kept = file.with_name(file.name + ".kept")
    good = kept.read_bytes()
    model_file.turn(kept)
    back = KIND.heal(done.undo, journal)
    assert not back.proven and "is damaged" in back.proof
    assert journal.pending() == (done.undo,)
    kept.write_bytes(good)
    assert KIND.heal(done.undo, journal).proven


def test_an_operator_who_died_before_the_damage_left_nothing(tmp_path: Path) -> None:
    from stress.faults.fault import Undo

    folder, journal = tmp_path / "models", UndoJournal(tmp_path)
    forest = Forest((Tree((), (), (), (), (0.25,)),))
    file = save(folder, Artefact(digest(), trained_ridge()[1], forest))
    facts: dict[str, str | int | float] = {"file": str(file), "host": "127.0.0.1", "port": 1}  # nobody listens there
    undo = Undo(fault="f", kind="corrupt-model", target="ml", facts=facts)
    journal.begin(undo)
    back = KIND.heal(undo, journal)
    assert back.proven and "ml does not run" in back.proof and journal.pending() == ()
    file.unlink()
    assert "is gone" in KIND.heal(undo, journal).proof


def test_an_engine_without_a_model_is_told(run: Path, fleet: MissionFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "_TRAINED_S", 0.1)
    monkeypatch.setattr(model_file, "_models", lambda _: [])
    with pytest.raises(UsageError, match="has trained no model yet"):
        KIND.inject(FAULT, fleet, UndoJournal(run))
    assert UndoJournal(run).pending() == ()


def test_what_cannot_be_is_told() -> None:
    assert "it cannot be at 'risk', only at: ml" in "\n".join(KIND.mistakes("risk", {}))
    assert "byte: it takes no parameters" in "\n".join(KIND.mistakes("ml", {"byte": 3}))
    assert list(KIND.mistakes("ml", {})) == []
