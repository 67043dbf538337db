"""Who stops keeping up first: both paths to the figures, the verdict, what is unknown, and the report's words."""

from pathlib import Path

import msgspec
import pytest

from reports import records, runs, verify
from reports.criteria import Verdict
from tests.reports.conftest import ENGINES, PER_SECOND, SECONDS, Edit, build, finish

Bad = dict[str, dict[int, str]]
"""By engine and second: how one request of it ended."""


def shedding(bad: Bad, *more: records.AnyRecord) -> Edit:
    """The small run in whose crash these requests were not served, judged by their order; `more` in that phase."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        made: list[records.AnyRecord] = []
        for line in lines:
            if isinstance(line, records.Run):
                wanted = [records.CriterionTarget(id="shedding-order")]
                made.append(msgspec.structs.replace(line, criteria=wanted, thresholds=[]))
            elif isinstance(line, records.Load):
                made.append(_second(line, bad.get(line.engine, {}).get(line.second, "")))
            elif isinstance(line, records.LoadSummary):
                made.append(_summary(line, list(bad.get(line.engine, {}).values())))
            elif not isinstance(line, records.Exemplar):  # of another story
                made.append(line)
            if isinstance(line, records.Phase) and (line.name, line.event) == ("crash", "start"):
                made += [msgspec.structs.replace(item, mono_ns=line.mono_ns + 1) for item in more]
        return made

    return edit


def _second(line: records.Load, end: str) -> records.Load:
    failed = {end: 1} if end not in ("", "unsent") else {}
    unsent = int(end == "unsent")
    return msgspec.structs.replace(
        line, failed=failed, unsent=unsent, sent=PER_SECOND - unsent, done=PER_SECOND - unsent - len(failed)
    )


def _summary(line: records.LoadSummary, ends: list[str]) -> records.LoadSummary:
    failed = {kind: ends.count(kind) for kind in ends if kind != "unsent"}
    unsent = ends.count("unsent")
    due = PER_SECOND * SECONDS
    return msgspec.structs.replace(
        line, failed=failed, unsent=unsent, sent=due - unsent, done=due - len(ends), service_hlog=""
    )


def flown(place: Path, edit: Edit) -> Path:
    """A finished run, on whose every figure and verdict both paths agree."""
    folder = finish(build(place / "20260304_100000_flash-crash", edit))
    checked = verify.verify(folder)
    assert checked.ok, checked.mismatches
    return folder


def figures(folder: Path) -> dict[str, float | None]:
    found = runs.load(folder).figures
    return {item.id.removeprefix("shed.crash."): item.number for item in found if item.id.startswith("shed.")}


def judged(folder: Path) -> tuple[Verdict, float | None]:
    (found,) = runs.load(folder).criteria
    return found.verdict, found.measured


@pytest.mark.parametrize(
    ("bad", "kept", "verdict"),
    [
        ({"strategy": {1: "timeout"}, "vpin": {2: "unsent"}, "risk": {4: "http_5xx"}}, 0, Verdict.ACHIEVED),
        ({"strategy": {1: "timeout"}, "vpin": {4: "reset"}, "risk": {4: "connect"}}, 0, Verdict.ACHIEVED),  # a tie
        ({"strategy": {1: "timeout", 5: "timeout"}}, 0, Verdict.ACHIEVED),  # risk kept up to the end
        ({"strategy": {5: "timeout"}, "vpin": {1: "timeout"}, "risk": {2: "unsent"}}, 1, Verdict.MISSED),
        ({"risk": {0: "bad_body"}}, 2, Verdict.MISSED),
    ],
)
def test_risk_is_the_last(tmp_path: Path, bad: Bad, kept: int, verdict: Verdict) -> None:
    folder = flown(tmp_path, shedding(bad))
    firsts = {f"{engine}.second": float(min(seconds)) for engine, seconds in bad.items()}
    assert figures(folder) == {**firsts, "engines": len(bad), "kept_after_risk": kept}
    assert judged(folder) == (verdict, kept)


def test_where_nobody_sheds_no_order_is_seen(tmp_path: Path) -> None:
    folder = flown(tmp_path, shedding({}))
    assert figures(folder) == {"engines": 0.0, "kept_after_risk": 0.0}
    assert judged(folder) == (Verdict.UNKNOWN, None)
    assert "In phase crash every engine kept up with its load." in (folder / "REPORT.md").read_text("utf-8")


def test_a_load_that_did_not_ask_risk_says_nothing_of_it(tmp_path: Path) -> None:
    spoil = shedding({"vpin": {1: "timeout"}})

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        kept = [*spoil(lines)]
        return [
            line
            for line in kept
            if not (isinstance(line, records.Load | records.LoadSummary) and line.engine == "risk")
        ]

    folder = flown(tmp_path, edit)
    assert figures(folder) == {"vpin.second": 1.0, "engines": 1.0}
    assert judged(folder) == (Verdict.UNKNOWN, None)


def test_a_phase_with_an_announced_fault_is_left_out(tmp_path: Path) -> None:
    kill = records.Fault(
        id="a",
        kind="kill",
        target="risk",
        event="inject",
        proven=True,
        proof="seen",
        at="2026-03-04T10:00:01Z",
        mono_ns=0,
    )
    folder = flown(tmp_path, shedding({"risk": {2: "reset"}}, kill))
    assert figures(folder)["kept_after_risk"] == len(ENGINES) - 1
    assert judged(folder) == (Verdict.UNKNOWN, None)


def test_seconds_that_contradict_their_summary_are_not_believed(tmp_path: Path) -> None:
    spoil = shedding({"vpin": {1: "timeout"}, "risk": {2: "timeout"}, "strategy": {0: "timeout"}})

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            _second(line, "") if isinstance(line, records.Load) and line.engine == "risk" else line
            for line in spoil(lines)
        ]

    folder = flown(tmp_path, edit)
    assert judged(folder) == (Verdict.INVALID, 0.0)


def test_the_table_is_in_their_order_and_says_what_was_not_served(tmp_path: Path) -> None:
    bad: Bad = {"strategy": {2: "unsent", 3: "timeout", 4: "timeout"}, "vpin": {1: "reset"}, "risk": {3: "timeout"}}
    report = (flown(tmp_path, shedding(bad)) / "REPORT.md").read_text("utf-8")
    words = "In phase crash 3 of 3 engines did not keep up with their load, in this order"
    words += "; 0 still did when risk began to shed."
    assert words in report
    table = report.partition(words)[2].partition("\n\n")[2].partition("\n\n")[0]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()[2:]]
    assert cells == [("vpin", "1", "1 reset"), ("strategy", "2", "2 timeout, 1 unsent"), ("risk", "3", "1 timeout")]
