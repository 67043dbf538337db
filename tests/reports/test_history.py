"""Reading back what is whole, and saying what is not."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from reports import history, records
from reports.bulk import NONE
from reports.errors import ReportError
from reports.records import HISTORY
from tests.reports.conftest import payloads, small_history, write_history, write_payloads

BULK = (records.Load, records.Health, records.Level)


def others(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
    """What is kept as records."""
    return [line for line in lines if not isinstance(line, BULK)]


def counted(found: history.History) -> int:
    """All that was taken."""
    return len(found.records) + len(found.loads) + len(found.probes) + len(found.levels)


def test_the_columns_hold_what_the_records_say(tmp_path: Path) -> None:
    lines = small_history()
    write_history(tmp_path, lines)
    found = history.read(tmp_path)
    loads = [line for line in lines if isinstance(line, records.Load)]
    phases, engines = found.loads.phases.all(), found.loads.engines.all()
    assert [phases[n] for n in found.loads.phase] == [load.phase for load in loads]
    assert [engines[n] for n in found.loads.engine] == [load.engine for load in loads]
    assert found.loads.stress.tolist() == [load.y for load in loads]
    for field in ("second", "scheduled", "sent", "done", "unsent"):
        assert found.loads.column(field).tolist() == [getattr(load, field) for load in loads]
    assert found.loads.column("failed").tolist() == [sum(load.failed.values()) for load in loads]
    assert found.loads.column("failed").sum() > 0
    assert found.loads.pairs() == {(load.phase, load.engine) for load in loads}
    probes = [line for line in lines if isinstance(line, records.Health)]
    assert found.probes.response_ms.tolist() == [probe.response_ms for probe in probes]
    assert found.probes.uptime_s.tolist() == [probe.uptime_s for probe in probes]
    assert found.probes.column("mono_ns").tolist() == [probe.mono_ns for probe in probes]
    assert found.probes.column("pid").tolist() == [probe.pid for probe in probes]
    assert found.probes.last == {probe.engine: probe for probe in probes}
    levels = [line for line in lines if isinstance(line, records.Level)]
    assert found.levels.price.tolist() == [level.price for level in levels]
    assert found.levels.market_ns.tolist() == [level.market_ns for level in levels]


def test_a_probe_is_well_when_it_is_healthy_and_without_error(tmp_path: Path) -> None:
    lines = small_history()
    probes = [line for line in lines if isinstance(line, records.Health)]
    changed = [
        msgspec.structs.replace(probes[0], status="degraded", pid=None, restarts=None, uptime_s=None),
        msgspec.structs.replace(probes[1], error="no answer"),
        probes[2],
    ]
    write_history(tmp_path, [lines[0], *changed])
    found = history.read(tmp_path).probes
    assert found.ok.tolist() == [False, False, True]
    assert found.column("pid").tolist()[0] == found.column("restarts").tolist()[0] == NONE
    assert np.isnan(found.uptime_s[0])


def test_a_history_without_bulk_records_has_empty_columns(tmp_path: Path) -> None:
    write_history(tmp_path, others(small_history()))
    found = history.read(tmp_path)
    assert (len(found.loads), len(found.probes), len(found.levels)) == (0, 0, 0)
    assert found.loads.pairs() == set()
    assert found.probes.ok.size == found.loads.stress.size == found.levels.price.size == 0


def test_a_whole_history_has_no_gap(tmp_path: Path) -> None:
    write_history(tmp_path, small_history())
    found = history.read(tmp_path)
    assert list(found.records) == others(small_history())
    assert counted(found) == len(small_history())
    assert found.gap is None
    assert found.run is not None


@pytest.mark.parametrize("cut", [1, 2, 30, 75])
def test_a_file_cut_in_mid_line_yields_the_rest(tmp_path: Path, cut: int) -> None:
    write_history(tmp_path, small_history())
    path = tmp_path / HISTORY
    path.write_bytes(path.read_bytes()[:-cut])
    found = history.read(tmp_path)
    assert list(found.records) == others(small_history()[:-1])
    assert found.broken is not None
    assert f"line {len(small_history())}: cut in mid-line; it is the last line" in found.broken
    assert found.gap == found.broken


def test_a_broken_link_is_located_and_nothing_behind_it_is_taken(tmp_path: Path) -> None:
    write_history(tmp_path, small_history())
    lines = (tmp_path / HISTORY).read_bytes().splitlines(keepends=True)
    lines[9] = lines[9].replace(b"0", b"1", 1)
    (tmp_path / HISTORY).write_bytes(b"".join(lines))
    found = history.read(tmp_path)
    assert counted(found) == 9
    assert found.broken is not None
    assert "line 10" in found.broken
    assert f"{len(lines) - 10} lines after it" in found.broken


def test_a_line_of_a_newer_schema_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    write_history(tmp_path, small_history())
    lines = payloads(tmp_path)
    write_payloads(tmp_path, [*lines[:5], b'{"type":"from_the_future","at":"","mono_ns":0}', *lines[5:]])
    found = history.read(tmp_path)
    assert counted(found) == len(lines)
    assert found.gap is not None
    assert "line 6" in found.gap


def test_a_newer_schema_number_is_a_problem(tmp_path: Path) -> None:
    lines = small_history()
    write_history(tmp_path, [msgspec.structs.replace(lines[0], schema=2), *lines[1:]])
    assert "schema 2, this version reads 1" in (history.read(tmp_path).gap or "")


def test_a_clock_that_went_backwards_is_a_problem(tmp_path: Path) -> None:
    lines = small_history()
    lines[7] = msgspec.structs.replace(lines[7], mono_ns=1)
    write_history(tmp_path, lines)
    assert "clock" in (history.read(tmp_path).gap or "")


def test_a_phase_without_end_and_a_run_without_end_are_gaps(tmp_path: Path) -> None:
    lines = small_history()
    write_history(tmp_path, lines[:-1])
    assert history.read(tmp_path).gap == "the record has no end"
    open_phase = [item for item in lines if not (isinstance(item, records.Phase) and item.event == "end")]
    write_history(tmp_path, open_phase)
    assert history.read(tmp_path).gap == "the phase idle has no end"


def test_no_history_is_refused_with_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(ReportError) as caught:
        history.read(tmp_path)
    assert "nautilus report list" in caught.value.next_step
