"""Two runs side by side, gates on what changed, and series over many runs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from reports import compare as comparing
from reports import records, trend
from reports.compare import Change, Comparison
from reports.errors import ReportError
from reports.gate import check, parse
from reports.resample import Shift
from tests.reports.conftest import ENGINES, Edit, build, change_end, finish, without_requests, write_hlog

SECONDS = 45


def longer(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
    """The same run with a crash of so many seconds."""
    out: list[records.AnyRecord] = []
    for line in without_requests(lines):
        if isinstance(line, records.LoadSummary):
            due = 100 * SECONDS
            own = {"scheduled": due, "sent": due - 1, "done": due - 2, "seconds": float(SECONDS)}
            out.append(msgspec.structs.replace(line, **own))
            continue
        out.append(line)
        if isinstance(line, records.Load) and line.second == 5:
            more = range(6, SECONDS)
            out += [msgspec.structs.replace(line, second=second, sent=100, done=100, failed={}) for second in more]
    return out


def run(folder: Path, slower: float = 1.0, edit: Edit = list) -> Path:
    """A sealed run whose every latency is `slower` times the usual."""
    build(folder, lambda lines: edit(longer(lines)))
    for place, engine in enumerate(ENGINES):
        values = [
            [round((1000 * (place + 1) + 10 * item + 7 * (second % 5)) * slower) for item in range(100)]
            for second in range(SECONDS)
        ]
        write_hlog(folder / f"latency/crash.{engine}.hlog", values)
    return finish(folder)


def changed(kind: type[records.AnyRecord], **fields: object) -> Edit:
    """An edit of every record of one kind."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [msgspec.structs.replace(line, **fields) if isinstance(line, kind) else line for line in lines]

    return edit


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and one that is a third slower."""
    root = tmp_path_factory.mktemp("compared")
    return run(root / "20260304_100000_flash-crash"), run(root / "20260304_110000_flash-crash", 1.3)


def test_a_slower_run_is_shown_to_be_slower(pair: tuple[Path, Path]) -> None:
    found = comparing.compare(*pair)
    change = found["load.crash.all.p99_ms"]
    assert change.finding == "higher"
    assert change.change == pytest.approx(0.3, abs=0.01)
    assert change.shift is not None
    assert change.shift.low > 1.2
    assert found["load.crash.risk.p99_ms"].finding == "higher"
    assert found["bus.lost"].finding == "not tested"
    assert found.obstacles == ()


def test_a_run_against_its_copy_shows_nothing(pair: tuple[Path, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(pair[0], tmp_path / "copy")
    assert {change.finding for change in comparing.compare(pair[0], copy).changes} == {"not tested", "not shown"}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (changed(records.Host, cores=64), "host cores: 2 and 64"),
        (changed(records.Run, mission="soak"), "mission name: flash-crash and soak"),
        (changed(records.Run, plan={"share": 0.9}), "mission plan share: 0.7 and 0.9"),
        (changed(records.Run, seed=8), "mission seed: 7 and 8"),
        (changed(records.Run, replaced={"risk": "/desk/mine"}), "replaced engines: none and risk from /desk/mine"),
        (change_end("interrupted", "by the operator"), "not whole: it was stopped: by the operator"),
    ],
)
def test_what_should_not_be_compared_is_refused_by_name(
    pair: tuple[Path, Path], tmp_path: Path, edit: Edit, words: str
) -> None:
    other = run(tmp_path / "20260304_120000_flash-crash", edit=edit)
    with pytest.raises(ReportError) as refused:
        comparing.compare(pair[0], other)
    assert words in str(refused.value)
    assert "--force" in refused.value.next_step
    assert words in " ".join(comparing.compare(pair[0], other, force=True).obstacles)


def test_the_same_engines_of_ones_own_may_be_compared_and_others_not(tmp_path: Path) -> None:
    def flown(name: str, folder: str) -> Path:
        return finish(build(tmp_path / name, changed(records.Run, replaced={"vpin": "/desk/v", "risk": folder})))

    first, again, other = (flown(f"20260304_1{n}0000_flash-crash", f"/desk/r{n // 2}") for n in range(3))
    assert comparing.compare(first, again).obstacles == ()
    words = "risk from /desk/r0, vpin from /desk/v and risk from /desk/r1, vpin from /desk/v"
    assert comparing.compare(first, other, force=True).obstacles == (f"replaced engines: {words}",)
    left = trend.trend(tmp_path, ("fleet.boot_s",)).left_out
    assert left == tuple((each.name, "another replaced engines") for each in (first, again))


def test_foreign_engines_of_another_command_are_another_setting_and_none_is_told(tmp_path: Path) -> None:
    def flown(name: str, digest: str) -> Path:
        program = {"web": f"python3 sha256:{digest * 16}"} if digest else {}
        return finish(build(tmp_path / name, changed(records.Run, foreign=program)))

    digests = ("", "abcd", "abcd", "abce")
    old, first, again, other = (flown(f"20260304_1{n}0000_flash-crash", each) for n, each in enumerate(digests))
    assert comparing.compare(first, again).obstacles == ()
    words = "web is python3 (command abcdabcdabcd) and web is python3 (command abceabceabce)"
    assert comparing.compare(first, other, force=True).obstacles == (f"foreign engines: {words}",)
    words = "none and web is python3 (command abcdabcdabcd)"
    assert comparing.compare(old, first, force=True).obstacles == (f"foreign engines: {words}",)
    left = trend.trend(tmp_path, ("fleet.boot_s",)).left_out
    assert left == tuple((each.name, "another foreign engines") for each in (old, first, again))
    assert "- web: a foreign program, python3 (command abceabceabce)." in (other / "REPORT.md").read_text()


def test_a_gate_fails_on_a_shown_regression_only(pair: tuple[Path, Path]) -> None:
    found = comparing.compare(*pair)
    outcomes = {item.change.id: item.outcome for item in check(parse("load.*.all.p*_ms>10%"), found)}
    assert set(outcomes.values()) == {"failed"}
    assert len(outcomes) == 3
    assert [item.outcome for item in check(parse("load.crash.all.p99_ms>50"), found)] == ["passed"]
    assert [item.outcome for item in check(parse("load.crash.all.p99_ms<10%"), found)] == ["passed"]


def gated(change: Change, gate: str) -> tuple[str, str]:
    """A gate on one synthetic change."""
    whole = Comparison.__new__(Comparison)
    object.__setattr__(whole, "changes", (change,))
    item = check(parse(gate), whole)[0]
    return item.outcome, item.why


def test_a_gate_says_what_it_cannot_decide() -> None:
    few = Shift(1.5, 1.2, 1.9, 2 / 32, 5)
    many = Shift(1.5, 0.9, 1.9, 0.3, 20)
    assert gated(Change("a", "ms", 1.0, 1.5, few, 0.06), "a>10%")[0] == "unknown"
    assert gated(Change("a", "ms", 1.0, 1.5, many, 0.3), "a>10%")[0] == "passed"
    assert gated(Change("a", "ms", None, 1.5), "a>10%") == ("unknown", "not measured in both runs")
    assert gated(Change("a", "", 0.0, 1.0), "a>10%")[0] == "failed"
    assert gated(Change("a", "", 0.0, 0.0), "a>10%")[0] == "passed"
    assert gated(Change("a", "", 10.0, 8.0), "a<10%")[0] == "failed"


@pytest.mark.parametrize("text", ["", "p99", "p99>", "p99>ten%", ">10%", "p99=10%"])
def test_a_gate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="is no gate"):
        parse(text)


def test_a_gate_that_watches_nothing_is_refused(pair: tuple[Path, Path]) -> None:
    with pytest.raises(ReportError, match=r"No figure is called load\.\*\.p98"):
        check(parse("load.*.p98>1%"), comparing.compare(*pair))


@pytest.fixture
def many(tmp_path: Path) -> Callable[[list[float]], Path]:
    """A folder of runs whose fleets took so many seconds to boot."""

    def make(seconds: list[float]) -> Path:
        for place, value in enumerate(seconds):
            finish(build(tmp_path / f"20260304_1{place}0000_flash-crash", changed(records.FleetBoot, seconds=value)))
        return tmp_path

    return make


def test_a_trend_flags_the_run_that_leaves_its_series(many: Callable[[list[float]], Path]) -> None:
    root = many([2.0, 2.1, 1.9, 2.0, 2.05, 4.0])
    found = trend.trend(root, ("fleet.boot_s", "bus.lost"))
    boot, lost = found.series
    assert [point.value for point in boot.points] == [2.0, 2.1, 1.9, 2.0, 2.05, 4.0]
    assert boot.score == pytest.approx(0.6745 * (4.0 - 2.0) / 0.05)  # median 2.0, median absolute deviation 0.05
    assert boot.unusual
    assert (lost.score, lost.unusual) == (None, False)
    assert found.left_out == ()


def test_a_trend_leaves_out_what_is_not_alike_and_says_why(many: Callable[[list[float]], Path]) -> None:
    root = many([2.0, 2.0, 2.0])
    finish(build(root / "20260304_090000_flash-crash", changed(records.Host, cores=64)))
    finish(build(root / "20260304_150000_flash-crash", change_end("failed", "no")))
    found = trend.trend(root, ("fleet.boot_s",))
    assert len(found.series[0].points) == 3
    assert dict(found.left_out) == {
        "20260304_090000_flash-crash": "another host cores",
        "20260304_150000_flash-crash": "not whole: it failed: no",
    }
    with pytest.raises(ReportError, match="no whole run of soak"):
        trend.trend(root, mission="soak")
