"""Figures of the small run, computed by hand from what conftest writes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from reports import records, summary
from reports.figures import Figure, Figures, Value, known, mean
from tests.reports.conftest import Edit, build

EXPECTED: dict[str, Value] = {
    "run.duration_s": 8.3,
    "fleet.started": 3,
    "fleet.boot_s": 1.5,
    "fleet.alive_at_end": 3,
    "fleet.pss_peak_bytes": 500_000_000,
    "availability.percent": 100.0,
    "idle.response_ms": (1.25 + 2.25 + 3.25) / 3,
    "engine.vpin.idle_response_ms": 2.25,
    "engine.vpin.uptime_s": 9.5,
    "engine.vpin.status_at_end": "healthy",
    "load.crash.all.scheduled": 1800,
    "load.crash.all.done": 1794,
    "load.crash.all.errors": 3,
    "load.crash.all.unsent": 3,
    "load.crash.risk.rps": 598 / 6,
    "load.crash.risk.p50_ms": 1.49,
    "load.crash.risk.max_ms": 1.99,
    "load.crash.all.rps_stressed": (3 * 99 + 3 * 99 + 3 * 100) / 3,
    "load.server_errors": 0,
    "generator.crash.lag_p99_ms": 0.2,
    "generator.crash.cpu_percent": 130.0,
    "generator.crash.stall_max_ms": 3.5,
    "generator.crash.processes": 2,
    "generator.crash.bodies_checked": 1790,
    "generator.crash.bodies_unchecked": 4,
    "load.crash.risk.service_p99_ms": 0.9,
    "load.crash.all.service_max_ms": 2.701,
    "exemplar.crash.slowest.latency_ms": 3.99,
    "exemplar.crash.slowest.request": "r7-00-00000042",
    "exemplar.crash.first-failed.engine": "risk",
    "connections.crash.at_peak": 600,
    "calibration.health.capacity_rps": 8000.5,
    "bus.lost": 0,
    "bus.published": 9000,
    "bus.delivered": 18004,
    "bus.rate_msgs_s": 8999 / 6,
    "hop.crash.tick-to-risk.max_ms": 0.509,
    "tape.ticks": 123_456,
    "tape.pins_held": 1,
    "halts.missing": 0,
    "halts.unexpected": 0,
    "alerts.missing": 0,
    "host.cpu_mean_percent": 50.25,
    "process.risk.rss_max_bytes": 95_000_000,
    "process.risk.cpu_mean_percent": 55.25,
}


def figures_of(folder: Path) -> Figures:
    return summary.summarise(summary.read(folder))


def test_figures_are_what_the_records_say(run_folder: Path) -> None:
    figures = figures_of(run_folder)
    for name, value in EXPECTED.items():
        assert figures[name].value == (value if isinstance(value, str) else pytest.approx(value, rel=1e-12)), name
    assert all(figure.value is not None for figure in figures), "the small run measures everything"


def test_every_figure_has_evidence_and_says_how_it_was_computed(run_folder: Path) -> None:
    for figure in figures_of(run_folder):
        assert figure.evidence, figure.id
        assert figure.how, figure.id


def test_percentiles_are_unknown_unless_the_log_holds_every_scheduled_request(tmp_path: Path) -> None:
    def one_more_due(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(item, scheduled=601, unsent=2)
            if isinstance(item, records.LoadSummary) and item.engine == "vpin"
            else item
            for item in lines
        ]

    figures = figures_of(build(tmp_path / "run", one_more_due))
    assert figures["load.crash.vpin.p99_ms"].value is None
    assert figures["load.crash.all.p99_ms"].value is None
    assert figures["load.crash.risk.p99_ms"].value is not None


def test_a_missing_log_leaves_its_figures_unknown(run_folder: Path) -> None:
    (run_folder / "latency/crash.risk.hlog").unlink()
    figures = figures_of(run_folder)
    assert figures["load.crash.risk.p99_ms"].value is None
    assert figures["load.crash.risk.rps"].value is not None


def without(*kinds: type[records.AnyRecord]) -> Edit:
    return lambda lines: [item for item in lines if not isinstance(item, kinds)]


@pytest.mark.parametrize(
    ("edit", "unknown"),
    [
        (without(records.Health), ("fleet.alive_at_end", "availability.percent", "idle.response_ms")),
        (without(records.Boot), ("fleet.alive_at_end", "fleet.started")),
        (without(records.Ledger), ("bus.lost", "bus.rate_msgs_s", "bus.published")),
        (without(records.Observer), ("halts.observed", "halts.missing", "halts.unexpected", "alerts.missing")),
        (without(records.Memory), ("fleet.pss_peak_bytes",)),
        (without(records.Load), ("load.crash.all.rps_stressed",)),
        (without(records.LoadSummary), ("load.server_errors", "load.crash.all.p99_ms", "load.crash.all.done")),
        (without(records.Generator), ("generator.crash.lag_p99_ms", "generator.crash.stall_max_ms")),
        (without(records.Connections), ("connections.crash.at_peak",)),
        (without(records.Tape), ("tape.ticks", "tape.digest", "tape.pins_held")),
    ],
)
def test_absent_records_leave_figures_unknown(tmp_path: Path, edit: Edit, unknown: tuple[str, ...]) -> None:
    figures = figures_of(build(tmp_path / "run", edit))
    assert [name for name in unknown if figures[name].value is not None] == []


def test_a_halt_nobody_could_have_seen_is_no_fact(tmp_path: Path) -> None:
    """The observer saw one halt, the record holds none: neither number is reported."""
    figures = figures_of(build(tmp_path / "run", without(records.Halt)))
    assert figures["halts.observed"].value is None


def test_two_figures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two figures"):
        Figures.of([Figure("a", 1, "s", ""), Figure("a", 2, "s", "")])


@pytest.mark.parametrize(("values", "expected"), [([], None), ([1.0, None], None), ([1.0, 3.0], 2.0)])
def test_a_hole_never_becomes_a_number(values: list[float | None], expected: float | None) -> None:
    fold: Callable[[list[float]], float] = mean
    assert known(values, fold) == expected
