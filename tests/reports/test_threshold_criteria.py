"""A mission's own thresholds and abort conditions in the report: both paths, verdicts, breaches that healed."""

from pathlib import Path

import msgspec
import pytest

from reports import records, runs, summary, verify
from reports.criteria import Verdict
from reports.records.thresholds import Compare
from tests.reports.conftest import Edit, build, finish

Asked = tuple[str, str, bool, Compare, float]


def asking(*asked: Asked, phase: str = "crash") -> Edit:
    """The small run with these thresholds and no others."""
    wanted = [
        records.Threshold(phase=phase, number=n, metric=m, scope=s, worst_second=w, compare=c, value=v)
        for n, (m, s, w, c, v) in enumerate(asked, 1)
    ]

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        head, *rest = lines
        assert isinstance(head, records.Run)
        return [msgspec.structs.replace(head, thresholds=wanted), *rest]

    return edit


def judged(folder: Path) -> dict[str, tuple[Verdict, float | None]]:
    """Verdict and value of the thresholds, after both paths agreed on everything."""
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    criteria = runs.load(folder).criteria
    return {item.id: (item.verdict, item.measured) for item in criteria if item.id.startswith("threshold.")}


@pytest.mark.parametrize(
    ("asked", "verdict", "measured"),
    [
        (("p99_ms", "risk", False, "below", 2.0), Verdict.ACHIEVED, 1.98),
        (("p99_ms", "risk", False, "below", 1.9), Verdict.MISSED, 1.98),
        (("p99_ms", "risk", False, "below", 20.0), Verdict.EXCEEDED, 1.98),
        (("errors", "all", False, "equal", 0.0), Verdict.MISSED, 3),
        (("errors", "vpin", False, "at most", 1.0), Verdict.ACHIEVED, 1),
        (("errors", "all", True, "at most", 2.0), Verdict.MISSED, 3),  # all in one second, healed in the next
        (("unsent", "all", True, "at most", 3.0), Verdict.ACHIEVED, 3),
        (("rps", "all", True, "at least", 297.0), Verdict.ACHIEVED, 297),
        (("rps", "risk", True, "above", 99.0), Verdict.MISSED, 99),
        (("errors_share", "all", False, "below", 0.004), Verdict.ACHIEVED, 6 / 1800),
        (("errors_share", "risk", True, "below", 0.01), Verdict.MISSED, 0.01),
        (("availability", "all", False, "at least", 99.0), Verdict.EXCEEDED, 100),
        (("availability", "risk", False, "above", 100.0), Verdict.MISSED, 100),
        (("response_ms", "vpin", False, "at most", 4.5), Verdict.ACHIEVED, 4.5),
        (("connections", "all", False, "at least", 601.0), Verdict.MISSED, 600),
        (("generator.lag_p99_ms", "all", False, "at most", 0.1), Verdict.INVALID, 0.2),  # the rig failed
        (("generator.lag_p99_ms", "all", False, "at most", 0.3), Verdict.ACHIEVED, 0.2),
        (("best_rps", "all", False, "above", 1.0), Verdict.UNKNOWN, None),  # nothing of the kind was measured
        (("of_tomorrow", "all", False, "above", 1.0), Verdict.UNKNOWN, None),
        (("p99_ms", "all", True, "below", 1.0), Verdict.UNKNOWN, None),  # seconds have no percentiles
    ],
)
def test_a_threshold_is_judged_by_its_figure(
    tmp_path: Path, asked: Asked, verdict: Verdict, measured: float | None
) -> None:
    folder = finish(build(tmp_path / "run", asking(asked)))
    value = measured if measured is None else pytest.approx(measured, rel=1e-3)
    assert judged(folder) == {"threshold.crash.1": (verdict, value)}


def test_what_was_not_measured_is_unknown(tmp_path: Path) -> None:
    every: list[Asked] = [
        (metric, "all", worst, "at most", 1e9)
        for metric in ("p99_ms", "errors", "errors_share", "rps", "availability", "response_ms", "connections")
        for worst in (False, True)
    ]
    folder = finish(build(tmp_path / "run", asking(*every, phase="never")))
    assert set(judged(folder).values()) == {(Verdict.UNKNOWN, None)}


def test_a_fault_excuses_its_engine_from_availability(tmp_path: Path) -> None:
    """A probe of an engine that is down counts, unless a fault of the mission touched it just then."""

    def ill(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(item, status="down")
            if isinstance(item, records.Health) and (item.engine, item.phase) == ("risk", "crash")
            else item
            for item in asking(("availability", "all", False, "at least", 99.0))(lines)
        ]

    def harmed(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        head, *rest = ill(lines)
        way = records.Recovery(
            at="", mono_ns=rest[-1].mono_ns, id="f", kind="kill", target="risk", engines=["risk"], injected_ns=0
        )
        return [head, *rest[:-1], way, rest[-1]]

    verdict, measured = judged(finish(build(tmp_path / "ill", ill)))["threshold.crash.1"]
    assert verdict is Verdict.MISSED and measured == pytest.approx(200 / 3)
    assert judged(finish(build(tmp_path / "harmed", harmed)))["threshold.crash.1"][1] == 100.0


def test_its_line_stands_in_the_report(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", asking(("p99_ms", "all", False, "below", 20.0))))
    assert "| Phase crash: p99 below 20 ms " in (folder / runs.REPORT_MD).read_text()


def aborted(*held: records.Abort) -> Edit:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        last = lines[-1]
        end = records.End(at=last.at, mono_ns=last.mono_ns, status="aborted", reason="errors_share > 0.5 for 5 s")
        return [*lines[:-1], *(msgspec.structs.replace(item, mono_ns=last.mono_ns) for item in held), end]

    return edit


HELD = records.Abort(
    at="", mono_ns=0, phase="crash", condition="errors_share > 0.5 for 5 s", value=0.75, since_ns=10**9, at_ns=6 * 10**9
)


@pytest.mark.parametrize("held", [(HELD,), ()])
def test_an_aborted_run_says_so_first_and_has_missed(tmp_path: Path, held: tuple[records.Abort, ...]) -> None:
    folder = finish(build(tmp_path / "run", aborted(*held)))
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    report = runs.load(folder)
    assert report.verdict is Verdict.MISSED
    verdicts = {item.id: item.verdict for item in report.criteria}
    assert verdicts.pop("aborts") is Verdict.MISSED
    assert set(verdicts.values()) == {Verdict.UNKNOWN}  # nothing passes in a run that is not whole
    text = (folder / runs.REPORT_MD).read_text()
    first = text.splitlines()[0]
    assert "MISSED (ABORTED, its own condition held: errors_share > 0.5 for 5 s)" in first
    assert ("## Aborted" in text) is bool(held)
    assert not held or "0.75" in text
    assert b'"status": "aborted: its own condition held' in (folder / runs.RESULTS).read_bytes()


def test_a_phase_asked_twice_has_one_figure(tmp_path: Path) -> None:
    twice = asking(("rps", "all", True, "above", 1.0), ("rps", "all", True, "above", 1e6))
    folder = finish(build(tmp_path / "run", twice))
    assert [verdict for verdict, _ in judged(folder).values()] == [Verdict.EXCEEDED, Verdict.MISSED]
    names = [figure.id for figure in summary.summarise(summary.read(folder))]
    assert names.count("phase.crash.all.rps_worst_second") == 1
