"""Invariants, refused orders, alerts and the age of data at decisions: both paths to figures and verdicts."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports import records, runs, summary, verify
from reports.figures import Figures
from tests.reports.conftest import Clock, Edit, build, finish, invariant, write_hlog


def judged(folder: Path) -> dict[str, tuple[str, float | None]]:
    """Verdicts and values, after both paths agreed on every figure and verdict."""
    found = verify.verify(finish(folder))
    assert found.ok, found.mismatches
    return {item.id: (item.verdict.label, item.measured) for item in runs.load(folder).criteria}


def figures(folder: Path) -> Figures:
    return summary.summarise(summary.read(folder))


def told(*clauses: tuple[int, dict[str, Any]]) -> Edit:
    """The small run with these clauses in place of its own."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        last = lines[-1]
        made = [
            msgspec.structs.replace(invariant(number, f"clause {place}", Clock(), **fields), mono_ns=last.mono_ns - 1)
            for place, (number, fields) in enumerate(clauses)
        ]
        kept = [item for item in lines[:-1] if not isinstance(item, records.Invariant)]
        return [*kept, *made, last]

    return edit


HELD = tuple((number, {}) for number in range(1, 12))
BROKEN = {"outcome": "BROKEN", "violations": 7, "examples": ["AAPL: filled in a halt [fills/1-0] at 5"]}
UNKNOWN = {"outcome": "UNKNOWN", "why": "trades was trimmed"}
IDLE = {**UNKNOWN, "checked": 0}


@pytest.mark.parametrize(
    ("more", "verdict", "value", "counts"),
    [
        ((), "ACHIEVED", 0, (11, 0, 0)),
        (((4, UNKNOWN),), "ACHIEVED", 0, (11, 0, 0)),  # another of its clauses holds
        (((4, BROKEN),), "MISSED", 1, (10, 1, 0)),
        (((4, BROKEN), (4, BROKEN), (5, BROKEN)), "MISSED", 2, (9, 2, 0)),
        (((4, {**UNKNOWN, "phase": "b"}), (5, {"phase": "b"})), "UNKNOWN", None, (1, 0, 10)),
    ],
)
def test_a_broken_clause_breaks_its_invariant_and_an_unknown_one_does_not(
    tmp_path: Path, more: tuple[tuple[int, dict[str, Any]], ...], verdict: str, value: float | None,
    counts: tuple[int, int, int],
) -> None:  # fmt: skip
    folder = build(tmp_path / "run", told(*HELD, *more))
    assert judged(folder)["invariants"] == (verdict, value)
    own = figures(folder)
    assert tuple(own[f"invariants.{name}"].value for name in ("holds", "broken", "unknown")) == counts
    assert own["invariants.clauses"].value == 11 + len(more)


def test_an_invariant_without_a_clause_that_holds_is_unknown(tmp_path: Path) -> None:
    without = [item for item in HELD if item[0] != 6]
    for place, more in enumerate(([(6, UNKNOWN)], [(6, IDLE)], [])):
        folder = build(tmp_path / str(place), told(*without, *more))
        assert judged(folder)["invariants"] == ("UNKNOWN", None)
        assert figures(folder)["invariant.6.outcome"].value == "UNKNOWN"


def test_a_phase_with_nothing_to_judge_does_not_lower_it_but_one_that_was_not_read_does(tmp_path: Path) -> None:
    second = tuple((number, {"phase": "second"}) for number in range(1, 11))
    calm = build(tmp_path / "calm", told(*HELD, *second, (11, {**IDLE, "phase": "second"})))
    assert judged(calm)["invariants"] == ("ACHIEVED", 0)
    blind = tuple((number, {**IDLE, "phase": "second", "why": "the time was up: 120 s"}) for number in range(1, 12))
    assert judged(build(tmp_path / "blind", told(*HELD, *blind)))["invariants"] == ("UNKNOWN", None)


def test_a_run_that_judged_none_is_unknown(tmp_path: Path) -> None:
    folder = build(tmp_path / "run", told())
    assert judged(folder)["invariants"] == ("UNKNOWN", None)
    assert not [item.id for item in figures(folder) if item.id.startswith("invariant")]
    assert "## Trading invariants" not in (folder / runs.REPORT_MD).read_text()


def test_the_section_tells_the_first_example_and_what_was_not_judged(tmp_path: Path) -> None:
    folder = build(tmp_path / "run", told(*HELD, (4, BROKEN), (9, UNKNOWN)))
    judged(folder)
    text = (folder / runs.REPORT_MD).read_text()
    assert "## Trading invariants" in text and "crash: AAPL: filled in a halt [fills/1-0] at 5" in text
    assert "| invariant 9: clause 12" in text and "trades was trimmed" in text.partition("What was not measured")[2]


def changed(kind: type[records.AnyRecord], **fields: Any) -> Edit:
    return lambda lines: [msgspec.structs.replace(x, **fields) if isinstance(x, kind) else x for x in lines]


@pytest.mark.parametrize(
    ("edit", "criterion", "verdict", "value"),
    [
        (changed(records.Denial), "expected-denials", "ACHIEVED", 0),
        (changed(records.Denial, code="MARGIN"), "expected-denials", "MISSED", 2),
        (changed(records.Denial, count=2), "expected-denials", "INVALID", None),
        (changed(records.Run, expect=records.Expect(alerts=["var-breach", "gross"])), "expected-alerts", "MISSED", 1),
        (changed(records.Run, expect=records.Expect()), "expected-alerts", "MISSED", 1),
        (changed(records.Run, expect=records.Expect()), "expected-denials", "MISSED", 1),
    ],
)
def test_declared_outcomes_are_compared_as_sets(
    tmp_path: Path, edit: Edit, criterion: str, verdict: str, value: float | None
) -> None:
    assert judged(build(tmp_path / "run", edit))[criterion] == (verdict, value)


@pytest.mark.parametrize(
    ("values", "share"), [([99_000] * 60, 0.0), ([101_000] * 60, 100.0), ([99_000] * 45 + [10**7] * 15, 25.0)]
)
def test_staleness_is_the_share_of_decisions_on_data_older_than_the_limit(
    tmp_path: Path, values: list[int], share: float
) -> None:
    folder = build(tmp_path / "run")
    write_hlog(folder / "latency/crash.tick-to-check.hlog", [values])
    assert judged(folder)["staleness"] == ("MISSED" if share > 8 else "EXCEEDED", share)
    assert figures(folder)["staleness.risk.share_over_100ms"].value == share


def test_staleness_without_its_log_is_unknown(tmp_path: Path) -> None:
    folder = build(tmp_path / "run")
    (folder / "latency/crash.tick-to-check.hlog").unlink()
    assert judged(folder)["staleness"] == ("UNKNOWN", None)
