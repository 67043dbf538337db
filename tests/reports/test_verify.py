"""Verification: every reported figure and verdict, changed, is caught and named; so are the raw fields behind them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports import plots, records, runs, summary
from reports.errors import ReportError
from reports.records import HISTORY
from reports.seal import MANIFEST, seal
from reports.verify import Basis, against, verify
from tests.reports.conftest import build, change_end, finish, payloads, small_history, write_history, write_payloads

RESULTS = "comprehensive_stress_test_results_20260304_100000.json"
Fields = dict[str, Any]  # a record's JSON, to be changed at will


def names(folder: Path) -> set[str]:
    return {item.name for item in verify(folder).mismatches}


def reseal(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    seal(folder)


def rewrite(folder: Path, kind: str, change: Callable[[Fields], None]) -> None:
    """Change the first record of a kind, then make chain and seal good again."""
    lines = payloads(folder)
    place = next(n for n, line in enumerate(lines) if json.loads(line)["type"] == kind)
    fields = json.loads(lines[place])
    change(fields)
    lines[place] = json.dumps(fields).encode()
    write_payloads(folder, lines)
    reseal(folder)


def test_a_whole_run_verifies_and_every_figure_is_recounted(run_folder: Path) -> None:
    found = verify(run_folder)
    assert (found.ok, found.status, found.mismatches) == (True, "ok", ())
    assert found.figures == len(json.loads((run_folder / RESULTS).read_bytes())["figures"]) > 100


@pytest.mark.parametrize("rechain", [False, True])
def test_one_changed_digit_is_not_ok_also_with_a_good_chain(run_folder: Path, rechain: bool) -> None:
    lines = payloads(run_folder)
    place = next(n for n, line in enumerate(lines) if b'"response_ms":1.25' in line)
    changed = lines[place].replace(b'"response_ms":1.25', b'"response_ms":1.26')
    if rechain:
        write_payloads(run_folder, [*lines[:place], changed, *lines[place + 1 :]])
    else:
        raw = (run_folder / HISTORY).read_bytes()
        (run_folder / HISTORY).write_bytes(raw.replace(lines[place], changed))
    found = verify(run_folder)
    assert (found.ok, found.status) == (False, "mismatch")
    assert HISTORY in {item.name for item in found.mismatches}


def test_any_changed_byte_of_the_history_is_not_ok(run_folder: Path) -> None:
    raw = (run_folder / HISTORY).read_bytes()
    for place in (0, len(raw) // 2, len(raw) - 2):
        (run_folder / HISTORY).write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        assert not verify(run_folder).ok


def test_each_reported_figure_changed_is_caught_and_named(run_folder: Path) -> None:
    """Every figure at once, chain and seal good: the second path must name each of them."""
    path = run_folder / RESULTS
    document = json.loads(path.read_bytes())
    for figure in document["figures"]:
        value = figure["value"]
        figure["value"] = f"{value}x" if isinstance(value, str) else value * (1 + 1e-6) + 1e-6
    path.write_text(json.dumps(document))
    reseal(run_folder)
    assert {figure["id"] for figure in document["figures"]} <= names(run_folder)


@pytest.mark.parametrize("value", [None, "42"])
def test_a_figure_of_another_kind_is_caught(run_folder: Path, value: object) -> None:
    path = run_folder / RESULTS
    document = json.loads(path.read_bytes())
    next(item for item in document["figures"] if item["id"] == "idle.response_ms")["value"] = value
    path.write_text(json.dumps(document))
    reseal(run_folder)
    assert "idle.response_ms" in names(run_folder)


def test_each_changed_verdict_measure_and_target_is_caught_and_named(run_folder: Path) -> None:
    path = run_folder / RESULTS
    original = path.read_bytes()
    for field, value in (("verdict", "NOT AVAILABLE"), ("measured", -1.0), ("target", -1.0)):
        document = json.loads(original)
        for item in document["run"]["criteria"]:
            item[field] = value
        path.write_text(json.dumps(document))
        reseal(run_folder)
        assert {f"criterion {item['id']}" for item in document["run"]["criteria"]} <= names(run_folder)


def test_the_overall_verdict_and_invented_or_dropped_figures_are_caught(run_folder: Path) -> None:
    path = run_folder / RESULTS
    document = json.loads(path.read_bytes())
    document["run"]["verdict"] = "EXCEEDED"
    document["figures"][0]["id"] = "invented"
    document["run"]["criteria"].pop()
    path.write_text(json.dumps(document))
    reseal(run_folder)
    assert {"verdict", "invented", "run.duration_s", "criteria"} <= names(run_folder)


def test_invented_evidence_is_caught(run_folder: Path) -> None:
    path = run_folder / RESULTS
    document = json.loads(path.read_bytes())
    by_id = {figure["id"]: figure for figure in document["figures"]}
    by_id["fleet.boot_s"]["evidence"][0]["count"] = 2
    by_id["tape.ticks"]["evidence"][0]["file"] = "latency/absent.hlog"
    path.write_text(json.dumps(document))
    reseal(run_folder)
    assert {"fleet.boot_s", "tape.ticks"} <= names(run_folder)


RAW = [
    ("health", "response_ms", 2.0, "idle.response_ms"),
    ("health", "status", "down", "availability.percent"),
    ("boot", "pid", 7, "fleet.alive_at_end"),
    ("boot", "ready_s", 9.0, "engine.risk.ready_s"),
    ("fleet_boot", "seconds", 0.5, "fleet.boot_s"),
    ("fleet_event", "state", "FAILED", "fleet.alive_at_end"),
    ("calibration", "rate_rps", 1.0, "calibration.health.capacity_rps"),
    ("calibration", "r_max_rps", 1.0, "calibration.health.r_max_rps"),
    ("load", "y", 0.9, "load.crash.all.rps_stressed"),
    ("load_summary", "done", 599, "load.crash.risk.done"),
    ("load_summary", "failed", {"reset": 1}, "load.server_errors"),
    ("load_summary", "unsent", 0, "load.crash.risk.unsent"),
    ("load_summary", "scheduled", 700, "load.crash.risk.p99_ms"),
    ("load_summary", "seconds", 7.0, "load.crash.risk.rps"),
    ("load_summary", "hlog", "latency/crash.vpin.hlog", "load.crash.risk.p50_ms"),
    ("load_summary", "hlog_unit", "ms", "load.crash.risk.p50_ms"),
    ("generator", "cpu_share", 0.1, "generator.crash.cpu_percent"),
    ("generator", "stall_max_ms", 0.0, "generator.crash.stall_max_ms"),
    ("generator", "lag_p50_ms", 0.1, "criterion generator-valid"),
    ("generator", "lag_p99_ms", 0.1, "criterion generator-valid"),
    ("generator", "lag_max_ms", 0.1, "criterion generator-valid"),
    ("connections", "at_peak", 5000, "connections.crash.at_peak"),
    ("hop", "count", 61, "hop.crash.tick-to-risk.p99_ms"),
    ("ledger", "published", 9001, "bus.lost"),
    ("ledger", "processed_unique", 8000, "bus.rate_msgs_s"),
    ("ledger", "dead_lettered", 0, "bus.dead_lettered"),
    ("ledger", "deliveries", 1, "bus.delivered"),
    ("ledger", "redeliveries", 0, "bus.redeliveries"),
    ("ledger", "reordered", 0, "bus.reordered"),
    ("ledger", "lost", 1, "criterion zero-loss"),
    ("tape", "ticks", 1, "tape.ticks"),
    ("tape", "digest", "ff", "tape.digest"),
    ("halt", "symbol", "AAPL", "halts.missing"),
    ("alert", "kind", "other", "alerts.missing"),
    ("observer", "seen", 0, "halts.observed"),
    ("memory", "per_process", {"risk": 1}, "fleet.pss_peak_bytes"),
    ("memory", "pss_bytes_total", 1, "criterion pss"),
    ("phase", "measured", False, "results.json"),
    ("run", "mono_ns", 1, "run.duration_s"),
    ("run", "engines", ["risk"], "fleet.alive_at_end"),
    ("run", "seed", 8, "REPORT.md"),
    ("host", "cores", 64, "REPORT.md"),
    ("end", "status", "interrupted", "criterion zero-loss"),
]


def batches() -> list[list[tuple[str, str, object, str]]]:
    """The changes, at most three of a kind together (one at a time takes many seconds: the benchmark does so)."""
    found: list[list[tuple[str, str, object, str]]] = []
    for item in RAW:
        place = next((batch for batch in found if sum(other[0] == item[0] for other in batch) < 3), None)
        if place is None:
            found.append([item])
        else:
            place.append(item)
    return found


@pytest.mark.parametrize("batch", batches(), ids=lambda batch: f"{len(batch)}-fields")
def test_raw_fields_changed_are_caught_and_named(run_folder: Path, batch: list[tuple[str, str, object, str]]) -> None:
    """Chain and seal made good after the change."""
    for kind, field, value, _ in batch:
        rewrite(run_folder, kind, lambda fields, f=field, v=value: fields.update({f: v}))  # type: ignore[misc]
    assert {named for *_, named in batch} <= names(run_folder)


def test_a_changed_report_or_page_is_caught(run_folder: Path) -> None:
    for name in ("REPORT.md", "report.html", "results.json"):
        path = run_folder / name
        kept = path.read_bytes()
        path.write_bytes(kept.replace(b"3 ", b"4 ", 1) if name != "results.json" else kept.replace(b"3", b"4", 1))
        assert name in names(run_folder)
        path.write_bytes(kept)
    (run_folder / "REPORT.md").unlink()
    assert "REPORT.md" in names(run_folder)


def test_a_changed_picture_is_caught_by_drawing_it_again_also_under_a_good_seal(run_folder: Path) -> None:
    runs.render(run_folder)
    reseal(run_folder)
    assert verify(run_folder, redraw=True).ok
    picture = next(iter(sorted((run_folder / "plots").glob("*.svg"))))
    picture.write_text(picture.read_text().replace("</svg>", '<path d="M 0 0 L 9 9"/></svg>'))
    reseal(run_folder)
    found = {item.name: item.recomputed for item in verify(run_folder, redraw=True).mismatches}
    assert found[f"plots/{picture.name}"] == "another picture"
    picture.write_text(picture.read_text().replace(plots.own_maker(), "matplotlib 0.1"))
    found = {item.name: item.recomputed for item in verify(run_folder, redraw=True).mismatches}
    assert found[f"plots/{picture.name}"] == f"drawn by matplotlib 0.1, here {plots.own_maker()}"


def test_changed_missing_and_added_raw_files_are_caught(run_folder: Path) -> None:
    (run_folder / "latency/crash.vpin.hlog").unlink()
    (run_folder / "latency/new.hlog").write_text("#\n")
    (run_folder / "samples.parquet").write_bytes(b"PAR1")
    assert {"latency/crash.vpin.hlog", "latency/new.hlog", "samples.parquet"} <= names(run_folder)


def test_an_unsealed_run_is_interrupted_also_with_a_torn_tail(run_folder: Path) -> None:
    (run_folder / MANIFEST).unlink()
    found = verify(run_folder)
    assert (found.ok, found.status, found.mismatches) == (False, "interrupted", ())
    torn = build(run_folder.parent / "torn")
    raw = (torn / HISTORY).read_bytes()
    (torn / HISTORY).write_bytes(raw[:-9])
    found = verify(torn)
    assert (found.ok, found.status) == (False, "interrupted")


def test_a_run_stopped_by_its_user_is_sealed_and_verifies(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", change_end("interrupted", "Ctrl-C")))
    assert verify(folder).ok
    assert "INTERRUPTED" in (folder / "REPORT.md").read_text().splitlines()[0]


def test_the_second_path_has_let_go_of_its_records_before_the_first_one_reads(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Millions of records are in memory once."""
    held: list[int] = []
    basis, read = Basis(run_folder), summary.read

    def looked(folder: Path) -> summary.RunData:
        counted = basis.counted
        assert not isinstance(counted, Exception) and counted.rows.count({"type": "health"}) > 0
        held.append(counted.rows.probes.at.size)
        return read(folder)

    monkeypatch.setattr(summary, "read", looked)
    assert against(basis).ok and held == [0]


def test_a_run_whose_runner_broke_is_invalid_by_both_paths(tmp_path: Path) -> None:
    """The rig failed: what passed, and what nobody got to measure, says nothing of the fleet."""

    def broken(lines: list[Any]) -> list[Any]:
        first = msgspec.structs.replace(
            lines[0], criteria=[*lines[0].criteria, records.CriterionTarget(id="of-another-version")]
        )
        return change_end("broken", "KeyError: 'x' (traceback: runner.log)")([first, *lines[1:]])

    folder = finish(build(tmp_path / "run", broken))
    assert verify(folder).ok
    report = runs.load(folder)
    assert {item.verdict.label for item in report.criteria} == {"INVALID"} and report.verdict.label == "INVALID"
    assert "BROKEN, its runner broke: KeyError: 'x'" in (folder / "REPORT.md").read_text().splitlines()[0]


@pytest.mark.parametrize("edited", [b"", b"no chain\n", b"\xff\xfe"])
def test_a_history_that_is_none_is_told_never_a_traceback(run_folder: Path, edited: bytes) -> None:
    (run_folder / HISTORY).write_bytes(edited)
    assert not verify(run_folder).ok
    with pytest.raises(ReportError):
        runs.load(run_folder)


def test_fields_of_a_wrong_type_are_told_never_a_traceback(run_folder: Path) -> None:
    rewrite(run_folder, "boot", lambda fields: fields.update(ready_s="soon", pid=None))
    assert HISTORY in names(run_folder)
    (run_folder / MANIFEST).write_text("{}")
    assert MANIFEST in names(run_folder)


@pytest.mark.parametrize("edit", [[], small_history()[1:], small_history()[:1]])
def test_an_empty_or_headless_history_never_passes(tmp_path: Path, edit: list[Any]) -> None:
    write_history(tmp_path, edit)
    assert not verify(tmp_path).ok
