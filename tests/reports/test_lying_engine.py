"""Engines that say what the records contradict are named in a report's first paragraph; sound ones are not accused."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from reports import records, verify
from tests.reports.conftest import PER_SECOND, SECONDS, build, finish, without_requests, write_hlog
from tests.reports.write_golden import RESULTS

Change = dict[str, object]


def changed(engine: str, change: Change) -> Callable[[list[records.AnyRecord]], list[records.AnyRecord]]:
    """The history in which that engine's testimony differs."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(line, **change)
            if isinstance(line, records.Testimony) and line.engine == engine
            else line
            for line in lines
        ]

    return edit


def flown(place: Path, engine: str, change: Change) -> Path:
    """A finished run with a changed testimony, which verifies: both paths see the same in it."""
    folder = finish(build(place / "20260304_100000_flash-crash", changed(engine, change)))
    checked = verify.verify(folder)
    assert checked.ok, checked.mismatches
    return folder


def verdicts(folder: Path) -> dict[str, tuple[str, float | None]]:
    document = json.loads((folder / RESULTS).read_bytes())
    return {item["id"]: (item["verdict"], item["measured"]) for item in document["run"]["criteria"]}


def first_paragraph(folder: Path) -> str:
    """What stands between the summary's heading and the next empty line."""
    _, _, rest = (folder / "REPORT.md").read_text("utf-8").partition("## Executive summary\n\n")
    return rest.partition("\n\n")[0]


LIES: dict[str, tuple[Change, str]] = {
    "pid": ({"said_pid": 7}, "it says pid 7, its supervisor started 102"),
    "older": ({"said_uptime_s": 86_400.0}, "it says that it is up for 86400.0 s, its process is 10.2 s old"),
    "younger": ({"said_uptime_s": 0.5}, "it says that it is up for 0.5 s, it was ready"),
    "processed": ({"said_processed": 9}, "it says 9 messages processed, the ledger holds 8999"),
    "dead": ({"said_dead_lettered": 0}, "it says 0 messages dead-lettered, the ledger holds 1"),
    "unread": ({"unread": 40}, "it says healthy and that nothing waits, 40 messages lay unread for 1.5 s"),
}
HONEST: dict[str, Change] = {
    "silent": {"status": None, "said_pid": None, "said_uptime_s": None, "said_processed": None, "said_lag": None},
    "behind, and says so": {"unread": 40, "said_lag": 3},
    "unwell, and says so": {"unread": 40, "status": "degraded"},
    "still moving": {"unread": 40, "said_processed": 9, "still_s": 0.0},
    "a second late": {"said_uptime_s": 11.0},
    "restarted, and says so": {"said_pid": 900, "pid": 900, "said_uptime_s": 0.5, "age_s": 1.0},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_stands_in_the_first_paragraph_by_name(lie: str, tmp_path: Path) -> None:
    change, words = LIES[lie]
    folder = flown(tmp_path, "vpin", change)
    said = first_paragraph(folder)
    assert said.startswith("Engines say of their own health what the records contradict. vpin: ") and words in said
    assert "risk" not in said and "strategy" not in said
    found = verdicts(folder)
    assert found["honest-health"] == ("MISSED", 1.0)
    assert found["availability"][0] == "INVALID", "it rests on what engines say of themselves"
    assert found["engines-alive"][0] == "INVALID"
    report = (folder / "REPORT.md").read_text("utf-8")
    assert "- vpin contradicts the records in its own health: " in report
    page = (folder / "report.html").read_text("utf-8")
    assert page.index(words) < page.index("declared were alive")


@pytest.mark.parametrize("case", HONEST)
def test_what_an_honest_engine_may_say_is_no_lie(case: str, tmp_path: Path) -> None:
    folder = flown(tmp_path, "vpin", HONEST[case])
    assert "contradict" not in first_paragraph(folder)
    assert verdicts(folder)["honest-health"] == ("ACHIEVED", 0.0)
    assert verdicts(folder)["availability"][0] != "INVALID"


def test_without_a_testimony_nothing_is_known(tmp_path: Path) -> None:
    folder = finish(
        build(
            tmp_path / "20260304_100000_flash-crash",
            lambda lines: [line for line in lines if not isinstance(line, records.Testimony)],
        )
    )
    assert verdicts(folder)["honest-health"] == ("UNKNOWN", None)
    assert verify.verify(folder).ok


def test_the_last_word_counts(tmp_path: Path) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        place = next(n for n, line in enumerate(lines) if isinstance(line, records.Testimony))
        early = msgspec.structs.replace(lines[place], said_pid=7)
        return [*lines[:place], early, *lines[place:]]

    folder = finish(build(tmp_path / "20260304_100000_flash-crash", edit))
    assert verdicts(folder)["honest-health"] == ("ACHIEVED", 0.0)


@pytest.mark.parametrize(("median_ms", "count"), [(300, 1.0), (90, 0.0)])
def test_an_engine_that_answers_late_is_named(median_ms: int, count: float, tmp_path: Path) -> None:
    folder = build(tmp_path / "20260304_100000_flash-crash", without_requests)
    write_hlog(folder / "latency/crash.strategy.hlog", [[median_ms * 1000] * PER_SECOND] * SECONDS)
    finish(folder)
    assert verify.verify(folder).ok
    assert verdicts(folder)["prompt-answers"] == ("MISSED" if count else "ACHIEVED", count)
    report = (folder / "REPORT.md").read_text("utf-8")
    assert ("- strategy answers late: in phase crash its median is 3" in report) is bool(count)
    assert "risk answers late" not in report


def test_a_few_requests_do_not_tell_who_is_late(tmp_path: Path) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(line, scheduled=19, sent=19, done=19, unsent=0, failed={})
            if isinstance(line, records.LoadSummary) and line.engine == "strategy"
            else line
            for line in lines
        ]

    folder = build(tmp_path / "20260304_100000_flash-crash", edit)
    write_hlog(folder / "latency/crash.strategy.hlog", [[300_000] * 19])
    finish(folder)
    assert verdicts(folder)["prompt-answers"][0] == "INVALID", "its seconds hold more than its summary"
    assert verdicts(folder)["prompt-answers"][1] is None
    assert verify.verify(folder).ok


def test_lost_and_unread_messages_name_both_ends(tmp_path: Path) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(line, publishers={"trades": ["marketdata"]})
            if isinstance(line, records.Run)
            else msgspec.structs.replace(line, processed_unique=8989, deliveries=8992, pending=4, lost=6)
            if isinstance(line, records.Ledger) and line.consumer == "vpin"
            else line
            for line in lines
        ]

    folder = finish(build(tmp_path / "20260304_100000_flash-crash", edit))
    assert verify.verify(folder).ok and verdicts(folder)["zero-loss"] == ("MISSED", 6.0)
    report = (folder / "REPORT.md").read_text("utf-8")
    assert (
        "- 6 messages of topic trades were lost between marketdata, which publishes and trims it, and vpin." in report
    )
    assert "- 4 messages of topic trades lie unread before vpin." in report
    assert "and risk." not in report


def test_who_broke_an_invariant_is_named(tmp_path: Path) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        last = lines[-2]
        broken = records.Invariant(
            at=last.at, mono_ns=last.mono_ns, phase="crash", number=1, name="an order's life", clause="sum of fills",
            outcome="BROKEN", checked=9, violations=2, examples=["s-1: a fill was told twice [fills/2-0] at 7"],
            producers={"strategy": "s-1: a fill was told twice [fills/2-0] at 7"},
        )  # fmt: skip
        return [*lines[:-1], broken, lines[-1]]

    folder = finish(build(tmp_path / "20260304_100000_flash-crash", edit))
    report = (folder / "REPORT.md").read_text("utf-8")
    words = "- strategy published what broke an invariant, an order's life (sum of fills): s-1: a fill was told twice"
    assert words in report


def test_an_engine_that_is_not_ours_is_said_to_be_none(tmp_path: Path) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        first = lines[0]
        assert isinstance(first, records.Run)
        return [msgspec.structs.replace(first, replaced={"strategy": "/desk/engines/mine"}), *lines[1:]]

    folder = finish(build(tmp_path / "20260304_100000_flash-crash", edit))
    report = (folder / "REPORT.md").read_text("utf-8")
    summary, _, _ = report.partition("## Key achievements")
    assert "- strategy: replaced by /desk/engines/mine." in summary
