"""Whatever a report says is changed, one thing at a time and sealed again: `report verify` catches each.

The machinery is that of scripts/mutate_run.py, which does the same to a real run, with more of the raw fields.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports import records, runs
from tests.reports import test_drill_records as drills
from tests.reports.conftest import ENGINES, build, finish
from tests.reports.test_device_records import samples
from tests.reports.test_faults import recovery, with_engines, with_faults

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("mutate_run", ROOT / "scripts" / "mutate_run.py")
assert _spec is not None and _spec.loader is not None
mutate = importlib.util.module_from_spec(_spec)
sys.modules["mutate_run"] = mutate  # where its dataclasses look for their module
_spec.loader.exec_module(mutate)
SEED = 20100506


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of figure, faults included."""
    folder = tmp_path_factory.mktemp("recorded") / "20260304_100000_flash-crash"
    edit = with_faults(recovery("a", 1.0), recovery("b", 2.5, engine="vpin"))
    return finish(build(folder, with_engines(edit, ("a", "risk", 1.0), ("b", "vpin", 2.5))))


@pytest.fixture
def bench(recorded: Path, tmp_path: Path) -> object:
    """A copy without the page, which has a test of its own."""
    return mutate.Bench(recorded, tmp_path)


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the kinds of records that drills and soaks add."""
    soaked: dict[str, Any] = {"phase": "soak", "seconds": 60.0, "sample_s": 5.0, "parts": ["crash", "crash"]}
    states: dict[str, Any] = {"phase": "p", "item": "position ESX", "wanted": 360.0, "got": 360.0}
    more = [
        drills.kill(request="run-op-3", arrived_ns=100 * drills.S, answered_ns=101 * drills.S),
        drills.request_hop("strategy", "orders", 5, 4, 30),
        *drills.reverse({0.0: False, 1.0: True, 0.0504: True, 0.0497: False}),
        records.StartState(**drills.HEAD, **states),
        records.StartAccount(**drills.HEAD, phase="p", cash=773_684.25, equity=473_684.25, maintenance=450_000.0),
        records.LoadTargets(**drills.HEAD, phase="crash", engines=list(ENGINES)),
        records.Unavailable(**drills.HEAD, criterion="kill-switch", why="no venue"),
        records.Abort(**drills.HEAD, phase="crash", condition="errors above 5", value=6.0, since_ns=1, at_ns=2),
        records.Soak(**drills.HEAD, **soaked, trimmed=["trades"]),
        *(msgspec.structs.replace(sample, at=drills.HEAD["at"]) for sample in samples([60.0 + n for n in range(30)])),
    ]
    folder = tmp_path_factory.mktemp("drilled") / "20260304_100000_flash-crash"
    return finish(build(folder, drills.added(*more)))


def escaped(found: dict[str, list[int]]) -> list[str]:
    return [group for group, (count, caught, _) in found.items() if caught < count]


def test_every_figure_criterion_and_verdict_of_the_results_changed_is_caught(bench: mutate.Bench) -> None:  # type: ignore[name-defined]
    found = mutate.table(bench.document(mutate.in_results(bench.folder, 2, SEED)))
    assert escaped(found) == []
    assert found["*_results_*.json: figures[].value"][0] > 140
    for name in ("*_results_*.json: run.", "results.json: "):
        assert all(found[f"{name}criteria[].{field}"][0] == 27 for field in ("measured", "target", "verdict"))
        assert found[f"{name}verdict"][0] == 1


def test_every_number_of_the_report_and_the_runbooks_changed_is_caught(bench: mutate.Bench) -> None:  # type: ignore[name-defined]
    found = mutate.table(bench.document(mutate.in_texts(bench.folder, 1, SEED)))
    assert escaped(found) == []
    assert found["REPORT.md: numbers"][0] > 250


def test_numbers_of_the_page_changed_are_caught(recorded: Path, tmp_path: Path) -> None:
    bench = mutate.Bench(recorded, tmp_path, page=True)
    found = mutate.table(bench.document(mutate.in_text(bench.folder, runs.REPORT_HTML, 10, SEED)))
    assert found == {"report.html: numbers": [10, 10, 0]}


def test_a_raw_field_changed_is_caught_whether_or_not_a_figure_uses_it(bench: mutate.Bench) -> None:  # type: ignore[name-defined]
    """The documents left as they were: the results name the records that they were made from."""
    changes = [*mutate.in_history(bench.folder, 1, SEED)]
    some = mutate.random.Random(SEED).sample(changes, 20)
    more = [*mutate.in_samples(bench.folder, 1, SEED)][:3], [*mutate.in_logs(bench.folder, 1, SEED)][:3]
    found = mutate.table(bench.raw([*some, *more[0], *more[1]], anew=False))
    assert len({change.group for change in changes}) > 150
    assert escaped(found) == []


def test_a_raw_field_of_each_kind_of_drill_changed_is_caught(drilled: Path, tmp_path: Path) -> None:
    bench = mutate.Bench(drilled, tmp_path)
    kinds = ["kill_switch", "reverse_stress", "reverse_step", "start_state", "start_account", "load_targets"]
    kinds += ["unavailable", "abort", "soak", "soak_sample", "request_hop", "replay"]
    changes = [*mutate.in_history(bench.folder, 1, SEED)]
    some = [next(change for change in reversed(changes) if change.group.startswith(f"{kind}.")) for kind in kinds]
    found = mutate.table(bench.raw(some, anew=False))
    assert len(found) == len(kinds)
    assert escaped(found) == []


def test_a_record_file_that_the_results_were_not_made_from_is_named(bench: mutate.Bench) -> None:  # type: ignore[name-defined]
    (bench.folder / "latency/crash.lag.hlog").write_bytes(b"#\n")
    mutate.seal.seal(bench.folder)
    found = {item.name: item.reported for item in mutate.verify.verify(bench.folder).mismatches}
    assert found["latency/crash.lag.hlog"].startswith("made from ")


def test_forged_and_rendered_anew_what_other_records_contradict_is_told(bench: mutate.Bench) -> None:  # type: ignore[name-defined]
    """Nobody can catch a whole run forged without contradiction: that is what the signature is for."""
    doubly = {"ledger.lost", "load.done", "load_summary.sent", "memory.pss_bytes_total", "observer.seen", "hop.count"}
    once = {"boot.ready_s", "tape.digest"}
    changes = [change for change in mutate.in_history(bench.folder, 1, SEED) if change.group in doubly | once]
    found = mutate.table(bench.raw(changes, anew=True))
    assert {group for group, (_, caught, told) in found.items() if caught or told} == doubly
    assert found.keys() == doubly | once
