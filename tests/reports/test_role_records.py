"""Sources of data, speed and backtests: both paths to their figures, verdicts, and records that contradict."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports import records, runs, summary, verify
from reports.figures import Figures
from tests.reports.conftest import ENGINES, Edit, build, finish, without_requests, write_hlog

HEAD = {"at": "2026-03-04T10:00:30+00:00"}
WANTED = ("data-sources", "connectors", "hft", "in-flight", "backtests-correct")
NAMES = ("ibkr", "alpha_vantage", "fred", "edgar", "data_gov", "trading_economics", "dbnomics", "yahoo")


def added(*more: records.AnyRecord, criteria: tuple[str, ...] = WANTED) -> Edit:
    """The small run with these records before its last measured phase ends, and these criteria."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        head, *rest = lines
        assert isinstance(head, records.Run)
        wanted = [*head.criteria, *(records.CriterionTarget(id=name) for name in criteria)]
        last = rest[-1].mono_ns
        placed = [msgspec.structs.replace(item, mono_ns=last - 1) for item in more]
        return [msgspec.structs.replace(head, criteria=wanted), *rest[:-1], *placed, rest[-1]]

    return edit


def judged(folder: Path) -> dict[str, tuple[str, float | None]]:
    """Verdicts and values, after both paths agreed on every figure and verdict."""
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    return {item.id: (item.verdict.label, item.measured) for item in runs.load(folder).criteria}


def figures(folder: Path) -> Figures:
    return summary.summarise(summary.read(folder))


def source(name: str, status: str, *, simulated: bool = False, rows: int | None = 5) -> records.Source:
    live = status in ("LIVE", "SIMULATED")
    return records.Source(
        **HEAD, mono_ns=0, phase="data", name=name, title=name.upper(), simulated=simulated,
        status=status, rows=rows if live else None, round_trip_ms=12.5 if live or status == "ERROR" else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("states", "verdict", "live"),
    [
        (["LIVE"] * 8, "ACHIEVED", 8),
        (["NOT_CONFIGURED"] * 5 + ["UNREACHABLE"] * 3, "NOT AVAILABLE", 0),
        (["LIVE"] * 3 + ["NOT_CONFIGURED"] * 5, "NOT AVAILABLE", 3),
        (["LIVE"] * 7 + ["ERROR"], "MISSED", 7),
        (["ERROR"] + ["NOT_CONFIGURED"] * 7, "MISSED", 0),
    ],
)
def test_only_what_the_host_lacks_makes_sources_not_available(
    tmp_path: Path, states: list[str], verdict: str, live: int
) -> None:
    asked = [source(name, state) for name, state in zip(NAMES, states, strict=True)]
    folder = finish(build(tmp_path / "run", added(*asked)))
    assert judged(folder)["data-sources"] == (verdict, live)
    own = figures(folder)
    assert own["sources.reachable"].value == states.count("LIVE") + states.count("ERROR")
    assert own["sources.ibkr.rows"].value == (5 if states[0] == "LIVE" else None)
    assert "## Data sources" in (folder / runs.REPORT_MD).read_text()


def test_a_simulator_proves_a_connector_and_is_never_live(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", added(*(source(name, "SIMULATED", simulated=True) for name in NAMES))))
    found = judged(folder)
    assert found["connectors"] == ("ACHIEVED", 8)
    assert found["data-sources"] == ("UNKNOWN", None)  # none was asked itself
    assert figures(folder)["sources.yahoo.simulated_rows"].value == 5


@pytest.mark.parametrize(("status", "simulated"), [("LIVE", True), ("SIMULATED", False)])
def test_a_source_that_says_otherwise_than_it_was_asked_is_invalid(
    tmp_path: Path, status: str, simulated: bool
) -> None:
    asked = [source(name, "LIVE") for name in NAMES[1:]] + [source("ibkr", status, simulated=simulated)]
    folder = finish(build(tmp_path / "run", added(*asked)))
    assert judged(folder)["data-sources"][0] in {"INVALID", "MISSED"}
    assert figures(folder)["sources.live"].value == 7


def test_an_answer_without_rows_is_not_live(tmp_path: Path) -> None:
    asked = [source(name, "LIVE", rows=0 if name == "fred" else 5) for name in NAMES]
    assert judged(finish(build(tmp_path / "run", added(*asked))))["data-sources"] == ("MISSED", 7)


def step(
    number: int, p99_ms: float, *, rate: float = 6000.0, lag_ms: float = 1.0, **changed: Any
) -> records.SearchStep:
    """A step of 200 requests, whose record says what its log (below) holds."""
    late = lag_ms > max(5.0, p99_ms / 10)
    fields: dict[str, Any] = {
        "phase": "search", "number": number, "rate_rps": rate, "seconds": 200 / rate, "scheduled": 200, "done": 200,
        "errors": 0, "limit_ms": 10.0, "p99_ms": p99_ms, "lag_p99_ms": lag_ms, "void": late,
        "ok": not late and p99_ms < 10.0, "hlogs": [f"latency/s{number}.{name}.hlog" for name in ENGINES[:2]],
        "lag_hlog": f"latency/s{number}.lag.hlog",
    }  # fmt: skip
    return records.SearchStep(**HEAD, mono_ns=0, **(fields | changed))


def in_flight(held: int = 780, seconds: int = 5) -> records.InFlight:
    return records.InFlight(**HEAD, mono_ns=0, phase="crash", operations=held, seconds=seconds)


def searched(folder: Path, *steps: records.SearchStep, edit: Edit | None = None) -> Path:
    """A run with these steps and their logs."""
    whole = added(in_flight(), *steps)
    built = build(folder, whole if edit is None else lambda lines: edit(whole(lines)))
    for item in steps:
        for name in ENGINES[:2]:
            values = [round(item.p99_ms * 1000)] * 100
            write_hlog(built / f"latency/s{item.number}.{name}.hlog", [values])
        write_hlog(built / f"latency/s{item.number}.lag.hlog", [[round(item.lag_p99_ms * 1000)] * 200])
    return finish(built)


def test_the_best_rate_is_of_the_fastest_step_that_held(tmp_path: Path) -> None:
    steps = (step(0, 4.0), step(1, 30.0, rate=9000.0), step(2, 9.0, rate=7000.0), step(3, 8.0, rate=8000.0, lag_ms=6.0))
    folder = searched(tmp_path / "run", *steps)
    assert judged(folder)["hft"] == ("ACHIEVED", pytest.approx(7000.0))
    own = figures(folder)
    assert (own["search.search.steps"].value, own["search.search.void"].value) == (4, 1)
    assert own["search.search.missed_rps"].value == 9000.0
    assert own["search.search.1.p99_ms"].value == pytest.approx(30.0, rel=1e-2)
    text = (folder / runs.REPORT_MD).read_text()
    assert "## High-frequency trading" in text and "void: the generator was late" in text


def test_a_search_that_ends_void_below_its_target_proves_nothing(tmp_path: Path) -> None:
    slow = step(0, 4.0, rate=2000.0)
    crowded = {"foreign_cores": 0.5, "void": True, "ok": False}
    busy = [step(n, 30.0, rate=4000.0, **crowded) for n in (1, 2, 3)]
    folder = searched(tmp_path / "a", slow, *busy)
    assert judged(folder)["hft"] == ("INVALID", pytest.approx(2000.0))
    assert "void: others were busy" in (folder / runs.REPORT_MD).read_text()
    wide = step(4, 30.0, rate=4000.0, foreign_cores=0.2)
    assert judged(searched(tmp_path / "b", slow, *busy, wide))["hft"] == ("MISSED", pytest.approx(2000.0))


def test_a_search_that_holds_nowhere_is_missed_and_one_without_its_logs_unknown(tmp_path: Path) -> None:
    assert judged(searched(tmp_path / "a", step(0, 30.0)))["hft"] == ("MISSED", 0.0)
    built = build(tmp_path / "b", added(in_flight(), step(0, 4.0)))
    assert judged(finish(built))["hft"] == ("INVALID", None)  # the record claims what no log bears


@pytest.mark.parametrize(
    "changed", [{"p99_ms": 3.0}, {"lag_p99_ms": 0.1}, {"ok": False}, {"void": True}, {"done": 199}, {"errors": 1}]
)
def test_a_step_whose_record_is_not_its_logs_is_invalid(tmp_path: Path, changed: dict[str, Any]) -> None:
    def lie(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(item, **changed) if isinstance(item, records.SearchStep) else item for item in lines
        ]

    found = judged(searched(tmp_path / "run", step(0, 4.0), edit=lie))["hft"][0]
    assert found in {"INVALID", "MISSED"}
    assert found == "INVALID" or "errors" in changed


SENT = (300, 60, 60, 60, 60, 60)
DONE = (50, 60, 60, 60, 60, 310)


def closed(failed: dict[str, int] | None = None, shaped: bool = False) -> Edit:
    """The crash phase as a closed loop: each of three engines is sent 250 more than it answers until the last second.

    `failed`: in the last second, in place of answers.
    """
    lost = failed or {}

    def change(item: records.AnyRecord) -> records.AnyRecord:
        if isinstance(item, records.Load):
            last = item.second == len(SENT) - 1
            sent, done = SENT[item.second], DONE[item.second] - (sum(lost.values()) if last else 0)
            fields: dict[str, Any] = {"scheduled": sent, "sent": sent, "done": done, "failed": lost if last else {}}
            return msgspec.structs.replace(item, y=0.5 if shaped else None, unsent=0, **fields)
        if isinstance(item, records.LoadSummary):
            fields = {"sent": sum(SENT), "done": sum(SENT) - sum(lost.values()), "failed": lost}
            return msgspec.structs.replace(item, unsent=0, **fields)
        return item

    return lambda lines: [change(item) for item in without_requests(lines)]


def test_the_operations_in_flight_are_sent_less_answered(tmp_path: Path) -> None:
    whole = searched(tmp_path / "run", step(0, 4.0), edit=closed())
    assert judged(whole)["in-flight"] == ("ACHIEVED", 750.0)
    own = figures(whole)
    assert own["inflight.crash.mean"].value == 750.0
    assert own["inflight.crash.rps"].value == 3 * sum(DONE[:5]) / 5
    assert own["inflight.crash.operations"].value == 780
    assert own["inflight.crash.server_errors"].value == 0


@pytest.mark.parametrize(("failed", "errors"), [({"reset": 1}, 3), ({"timeout": 1}, 0), ({"http_5xx": 2}, 6)])
def test_a_server_error_in_flight_spoils_the_rate(tmp_path: Path, failed: dict[str, int], errors: int) -> None:
    folder = searched(tmp_path / "run", step(0, 4.0), edit=closed(failed))
    assert figures(folder)["inflight.crash.server_errors"].value == errors
    assert judged(folder)["hft"] == ("MISSED" if errors else "ACHIEVED", pytest.approx(6000.0))
    note = next(item.note for item in runs.load(folder).criteria if item.id == "hft")
    assert (f"{errors} server errors" in note) is bool(errors)


def test_too_few_in_flight_is_the_rigs_failure(tmp_path: Path) -> None:
    few = added(in_flight(held=2000))
    folder = finish(build(tmp_path / "run", lambda lines: closed()(few(lines))))
    assert judged(folder)["in-flight"] == ("INVALID", 750.0)
    assert "the rig failed" in next(item.note for item in runs.load(folder).criteria if item.id == "in-flight")


@pytest.mark.parametrize(("seconds", "shaped"), [(7, False), (5, True), (0, False)])
def test_a_flight_that_is_not_wholly_recorded_is_unknown(tmp_path: Path, seconds: int, shaped: bool) -> None:
    whole = added(in_flight(seconds=seconds))
    folder = finish(build(tmp_path / "run", lambda lines: closed(shaped=shaped)(whole(lines))))
    assert judged(folder)["in-flight"] == ("UNKNOWN", None)


def result(number: int, outcome: str = "succeeded", **changed: Any) -> records.BacktestResult:
    fields: dict[str, Any] = {
        "phase": "backtests", "number": number, "request": f"GET /{number}", "wanted": "succeeded", "outcome": outcome,
        "milliseconds": 10.0 * (number + 1), "runs": int(outcome == "succeeded"), "values": {"final_equity": 5.0},
        "independent": {"final_equity": 5.0} if outcome == "succeeded" else {},
    }  # fmt: skip
    return records.BacktestResult(**HEAD, mono_ns=0, **(fields | changed))


def account(*results: records.BacktestResult, **changed: Any) -> records.Backtests:
    outcomes = [item.outcome for item in results]
    fields: dict[str, Any] = {
        "phase": "backtests", "concurrency": 4, "seconds": 2.0, "executed": len(results),
        **{name: outcomes.count(name) for name in ("succeeded", "rejected", "failed")},
        "runs": sum(item.runs for item in results),
    }  # fmt: skip
    return records.Backtests(**HEAD, mono_ns=0, **(fields | changed))


def test_backtests_are_counted_and_a_sample_compared(tmp_path: Path) -> None:
    results = (*(result(n) for n in range(20)), result(20, "rejected", wanted="rejected", reason="too few days"))
    folder = finish(build(tmp_path / "run", added(*results, account(*results))))
    assert judged(folder)["backtests-correct"] == ("ACHIEVED", 0)
    own = figures(folder)
    names = ("executed", "succeeded", "rejected", "failed", "runs", "checked", "wrong", "unexpected")
    assert [own[f"backtests.{name}"].value for name in names] == [21, 20, 1, 0, 20, 20, 0, 0]
    assert (own["backtests.rate"].value, own["backtests.mean_ms"].value) == (10.0, pytest.approx(105.0))
    assert own["backtests.p95_ms"].value == 190.0
    text = (folder / runs.REPORT_MD).read_text()
    assert "## Backtesting" in text and "too few days" in text


@pytest.mark.parametrize(
    ("odd", "value"),
    [
        (result(1, values={"final_equity": 5.0 + 1e-7}), 1),
        (result(1, values={}), 1),
        (result(1, "failed", reason="broke"), 1),
        (result(1, "rejected", reason="no"), 1),
        (result(1, wanted="rejected"), 1),
        (result(1, "failed", wanted="rejected"), 1),
    ],
)
def test_an_answer_that_is_wrong_or_unexpected_is_missed(
    tmp_path: Path, odd: records.BacktestResult, value: int
) -> None:
    results = (result(0), odd)
    folder = finish(build(tmp_path / "run", added(*results, account(*results))))
    assert judged(folder)["backtests-correct"] == ("MISSED", value)


def test_backtests_that_nobody_checked_are_unknown_and_a_wrong_account_invalid(tmp_path: Path) -> None:
    results = (result(0, independent={}), result(1, independent={}))
    folder = finish(build(tmp_path / "a", added(*results, account(*results))))
    assert judged(folder)["backtests-correct"] == ("UNKNOWN", None)
    results = (result(0), result(1))
    for place, changed in enumerate(({"executed": 3}, {"runs": 1}, {"failed": 1}, {"phase": "other"})):
        folder = finish(build(tmp_path / f"b{place}", added(*results, account(*results, **changed))))
        assert judged(folder)["backtests-correct"][0] == "INVALID", changed


DAYS = {"2020-03-09": 1_583_760_853, "2020-03-12": 1_584_020_100}
"""13:34:13 and 13:35:00 UTC."""


def halted(declared: list[str | None], observed: list[str]) -> Edit:
    """Level one halts of the market: declared on days (None: on any), and observed."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        head, *rest = lines
        assert isinstance(head, records.Run)
        keys = [records.HaltKey(kind="market-wide", level=1, symbol="*", day=day) for day in declared]
        head = msgspec.structs.replace(head, expect=msgspec.structs.replace(head.expect, halts=keys))
        one = next(item for item in rest if isinstance(item, records.Halt))
        made = [
            msgspec.structs.replace(one, kind="market-wide", level=1, symbol="*", start_ns=DAYS[day] * 10**9)
            for day in observed
        ]
        found: list[records.AnyRecord] = [head]
        for item in rest:
            if isinstance(item, records.Observer) and item.subject == "halts":
                found.append(msgspec.structs.replace(item, seen=len(made)))
            elif isinstance(item, records.Halt):
                found += made
            else:
                found.append(item)
        return found

    return edit


@pytest.mark.parametrize(
    ("declared", "observed", "missing", "unexpected"),
    [
        (["2020-03-09", "2020-03-12"], ["2020-03-09", "2020-03-12"], 0, 0),
        (["2020-03-09", "2020-03-12"], ["2020-03-09", "2020-03-09"], 1, 1),
        (["2020-03-09", None], ["2020-03-09", "2020-03-09"], 0, 0),  # one has no day: days are not compared
        ([None], ["2020-03-09"], 0, 0),
        ([], ["2020-03-09"], 0, 1),
    ],
)
def test_a_halt_counts_on_its_day_where_each_declared_one_has_its_day(
    tmp_path: Path, declared: list[str | None], observed: list[str], missing: int, unexpected: int
) -> None:
    folder = finish(build(tmp_path / "run", halted(declared, observed)))
    own = (judged(folder), figures(folder))[1]
    assert (own["halts.missing"].value, own["halts.unexpected"].value) == (missing, unexpected)


@pytest.mark.parametrize(("first", "fits"), [(1, True), (2, False), (0, False)])
def test_each_observer_has_seen_what_was_recorded_before_it(tmp_path: Path, first: int, fits: bool) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        """A second account: another halt after the first observers, and observers of both."""
        place = max(n for n, item in enumerate(lines) if isinstance(item, records.Observer)) + 1
        halt = next(item for item in lines if isinstance(item, records.Halt))
        watch = next(item for item in lines if isinstance(item, records.Observer) and item.subject == "halts")
        at = lines[place].mono_ns - 1
        more = [msgspec.structs.replace(halt, mono_ns=at), msgspec.structs.replace(watch, mono_ns=at, seen=2)]
        changed = [msgspec.structs.replace(watch, seen=first) if item is watch else item for item in lines]
        return [*changed[:place], *more, *changed[place:]]

    folder = finish(build(tmp_path / "run", edit))
    verdict = judged(folder)["expected-halts"][0]
    assert figures(folder)["halts.unexpected"].value == 1
    found = [item.words for item in runs.load(folder).disagreements if item.subject == "halts"]
    assert verdict == "MISSED" and bool(found) is not fits


def test_several_tapes_have_figures_of_their_own(tmp_path: Path) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        found: list[records.AnyRecord] = []
        for item in lines:
            found.append(item)
            if isinstance(item, records.Tape):
                pin = msgspec.structs.replace(item.pins[0], got=1.0)
                found.append(msgspec.structs.replace(item, scenario="2020-03-16", ticks=7, pins=[*item.pins, pin]))
        return found

    folder = finish(build(tmp_path / "run", edit))
    judged(folder)
    own = figures(folder)
    assert (own["tape.flash-crash-2010.ticks"].value, own["tape.2020-03-16.ticks"].value) == (123_456, 7)
    assert (own["tape.2020-03-16.pins"].value, own["tape.2020-03-16.pins_held"].value) == (2, 1)
    text = (folder / runs.REPORT_MD).read_text()
    assert "Tape flash-crash-2010" in text and "Tape 2020-03-16" in text and "2010-05-06 18:45:28" in text


def faulted(died: bool = False, probed: bool = True) -> Edit:
    """A kill of risk before the last probes, which see its new process."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        last = [item for item in lines if isinstance(item, records.Health)][-len(ENGINES) :]
        at = last[0].mono_ns
        fault = records.Fault(
            **HEAD, mono_ns=at - 2, id="f", kind="kill", target="risk", event="inject", proven=True, proof="gone"
        )
        stamps = dict.fromkeys(("detected_ns", "restarted_ns", "healthy_ns", "regained_ns", "drained_ns"), at - 1)
        back = records.Recovery(
            **HEAD, mono_ns=at - 1, id="f", kind="kill", target="risk", engines=["risk"], injected_ns=at - 2, **stamps
        )
        before = [msgspec.structs.replace(item, mono_ns=at - 4) for item in last] if probed else []
        event = next(item for item in lines if isinstance(item, records.FleetEvent))
        dead = [msgspec.structs.replace(event, mono_ns=at - 3, state="crashed")] if died else []
        new = [msgspec.structs.replace(item, pid=999) if item.engine == "risk" else item for item in last]
        kept = [item for item in lines if item not in last]
        return sorted([*kept, *before, *dead, fault, back, *new], key=lambda item: item.mono_ns)

    return edit


@pytest.mark.parametrize(("died", "probed", "alive"), [(False, True, 3), (True, True, 2), (False, False, None)])
def test_who_a_fault_kills_was_alive_before_it(tmp_path: Path, died: bool, probed: bool, alive: int | None) -> None:
    folder = finish(build(tmp_path / "run", faulted(died, probed)))
    own = (judged(folder), figures(folder))[1]
    assert own["fleet.alive_before_faults"].value == alive
    assert own["fleet.alive_at_end"].value == 2  # risk has another process
    verdict = {3: "ACHIEVED", 2: "MISSED", None: "UNKNOWN"}[alive]
    assert judged(folder)["engines-alive"] == (verdict, alive)


def test_a_run_without_them_has_no_figures_of_them(run_folder: Path) -> None:
    prefixes = ("sources.", "search.", "inflight.", "backtests.", "fleet.alive_before")
    assert not [item.id for item in figures(run_folder) if item.id.startswith(prefixes)]


@pytest.mark.parametrize("inside", [False, True])
def test_tick_to_risk_is_judged_without_the_phases_in_which_faults_struck(tmp_path: Path, inside: bool) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        bounds = [item.mono_ns for item in lines if isinstance(item, records.Phase) and item.name == "crash"]
        at = bounds[0] + 1 if inside else bounds[1] + 1
        fault = records.Fault(
            **HEAD, mono_ns=at, id="f", kind="kill", target="risk", event="inject", proven=True, proof="gone"
        )
        head = lines[0]
        assert isinstance(head, records.Run)
        wanted = [*head.criteria, records.CriterionTarget(id="tick-to-risk", target=500.0)]
        changed = msgspec.structs.replace(head, criteria=[c for c in wanted if c.target or c.id != "tick-to-risk"])
        return sorted([changed, *lines[1:], fault], key=lambda item: item.mono_ns)

    verdict, measured = judged(finish(build(tmp_path / "run", edit)))["tick-to-risk"]
    assert (measured is None) is inside
    assert verdict == "UNKNOWN" if inside else verdict in ("ACHIEVED", "EXCEEDED")
