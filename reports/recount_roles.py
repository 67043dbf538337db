"""The second path to what missions add to load and tape: sources of data, speed, backtests; and where they contradict.

Over raw JSON objects and an own decoder of HDR logs; it shares no code with the measures.
"""

import math
from collections import Counter
from collections.abc import Iterator

from reports import recount_hdr
from reports.recount_hdr import HdrLogs
from reports.recount_rows import Fields, Rows

Number = float | str | None
Pairs = Iterator[tuple[str, Number]]
_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0}
_ABSENT = ("NOT_CONFIGURED", "UNREACHABLE")


def figures(rows: Rows, logs: HdrLogs) -> dict[str, Number]:
    """Every figure about them."""
    parts = (_sources(rows), _in_flight(rows), _searches(rows, logs), _backtests(rows))
    return {name: float(value) if isinstance(value, int) else value for part in parts for name, value in part}


def disagreements(rows: Rows, logs: HdrLogs) -> dict[str, bool]:
    """Whether records contradict each other, by subject."""
    return {
        "sources": any(
            (record["status"] == "LIVE" and record["simulated"])
            or (record["status"] == "SIMULATED" and not record["simulated"])
            for record in rows.of("source")
        ),
        "search": any(_step_differs(step, logs) for step in rows.of("search_step")),
        "backtests": _accounts_differ(rows),
    }


def _sources(rows: Rows) -> Pairs:
    records = rows.of("source")
    if not records:
        return
    own: dict[str, Fields] = {}
    stood_in: dict[str, Fields] = {}
    for record in records:
        (stood_in if record["simulated"] else own)[record["name"]] = record
    states = [record["status"] for record in own.values()]
    absent = sum(states.count(state) for state in _ABSENT)
    timed = [record for record in own.values() if record.get("round_trip_ms") is not None]
    yield "sources.asked", len(own) if own else None
    yield "sources.live", _with_rows(own, "LIVE") if own else None
    yield "sources.reachable", sum(item["status"] not in _ABSENT for item in timed) if own else None
    yield "sources.lacking", absent if own else None
    yield "sources.simulated", _with_rows(stood_in, "SIMULATED") if stood_in else None
    for name, record in own.items():
        yield f"sources.{name}.rows", record.get("rows")
        yield f"sources.{name}.round_trip_ms", record.get("round_trip_ms")
    for name, record in stood_in.items():
        yield f"sources.{name}.simulated_rows", record.get("rows")


def _with_rows(records: dict[str, Fields], status: str) -> int:
    return sum(1 for item in records.values() if item["status"] == status and (item.get("rows") or 0) > 0)


def _in_flight(rows: Rows) -> Pairs:
    begin = rows.first if rows.first.get("type") == "run" else {}
    for record in rows.of("in_flight"):
        phase, length = record["phase"], record["seconds"]
        seconds = rows.seconds.unshaped(phase)
        whole = length > 0 and all(second in seconds for second in range(length))
        open_, total, done = 0, 0, 0
        for second in range(length) if whole else ():
            gained, answered = seconds[second]
            open_ += gained
            total += open_
            done += answered
        yield f"inflight.{phase}.operations", record["operations"]
        yield f"inflight.{phase}.mean", total / length if whole else None
        yield f"inflight.{phase}.rps", done / length if whole else None
        summaries = [item for item in rows.of("load_summary") if item["phase"] == phase]
        told = {item["engine"] for item in summaries}
        complete = summaries and begin and not set(begin["engines"]) - told
        failed = [pair for item in summaries for pair in (item.get("failed") or {}).items()]
        errors = sum(count for kind, count in failed if kind not in ("timeout", "http_4xx"))
        yield f"inflight.{phase}.server_errors", errors if complete else None


def _searches(rows: Rows, logs: HdrLogs) -> Pairs:
    searches: dict[str, list[Fields]] = {}
    for step in rows.of("search_step"):
        searches.setdefault(step["phase"], []).append(step)
    for phase, steps in searches.items():
        held, missed, late = [0.0], list[float](), 0
        complete, last_void = True, False
        for step in steps:
            p99, lag = _measured(step, logs)
            last_void = False
            yield f"search.{phase}.{step['number']}.p99_ms", p99
            if p99 is None or lag is None:
                complete = False
            elif lag > _allowed(p99) or _crowded(step):
                late += 1
                last_void = True
            elif step["errors"] or p99 >= step["limit_ms"]:
                missed.append(step["rate_rps"])
            elif step["seconds"]:
                held.append(step["done"] / step["seconds"])
        yield f"search.{phase}.steps", len(steps)
        yield f"search.{phase}.void", late
        yield f"search.{phase}.ended_void", int(last_void)
        yield f"search.{phase}.best_rps", max(held) if complete else None
        yield f"search.{phase}.missed_rps", min(missed) if missed else None


def _crowded(step: Fields) -> bool:
    """Whether others than the mission took more than a quarter of a core."""
    return (step.get("foreign_cores") or 0) > 0.25


def _allowed(p99_ms: float) -> float:
    """The lag of a generator that is on time."""
    return max(5.0, p99_ms / 10.0)


def _measured(step: Fields, logs: HdrLogs) -> tuple[float | None, float | None]:
    """p99 of a step's requests and of the generator's lag (ms), by its logs; None where they are not whole."""
    scale = _MS[step.get("hlog_unit", "us")]
    found = [logs.counts(name) for name in step["hlogs"]]
    merged: dict[int, int] = {}
    for counts in found:
        for value, count in (counts or {}).items():
            merged[value] = merged.get(value, 0) + count
    whole = step["scheduled"] > 0 and sum(merged.values()) == step["scheduled"]
    lag = logs.counts(step["lag_hlog"])
    return _p99(merged, scale) if whole else None, _p99(lag, scale) if lag else None


def _p99(counts: dict[int, int], scale: float) -> float:
    return recount_hdr.percentiles(Counter(counts), (99.0,))[0] * scale


def _step_differs(step: Fields, logs: HdrLogs) -> bool:
    if step["done"] + step["errors"] != step["scheduled"]:
        return True
    p99, lag = _measured(step, logs)
    if p99 is None or lag is None:
        if step["scheduled"]:
            return True
    elif _apart(step["p99_ms"], p99) or _apart(step["lag_p99_ms"], lag):
        return True
    late = bool(step["lag_p99_ms"] > _allowed(step["p99_ms"])) or _crowded(step)
    holds = not late and not step["errors"] and step["p99_ms"] < step["limit_ms"]
    return late is not step["void"] or holds is not step["ok"]


def _apart(stated: float, logged: float) -> bool:
    return abs(stated - logged) > max(logged / 100.0, 0.01)


def _backtests(rows: Rows) -> Pairs:
    results, accounts = rows.of("backtest_result"), rows.of("backtests")
    if not results and not accounts:
        return
    outcomes = [record["outcome"] for record in results]
    yield "backtests.executed", len(results)
    for outcome in ("succeeded", "rejected", "failed"):
        yield f"backtests.{outcome}", outcomes.count(outcome)
    yield "backtests.unexpected", sum(record["wanted"] != record["outcome"] for record in results)
    sample = [record for record in results if record.get("independent")]
    yield "backtests.checked", len(sample)
    yield "backtests.wrong", sum(map(_wrong, sample))
    runs, seconds = sum(record["runs"] for record in results), math.fsum(item["seconds"] for item in accounts)
    yield "backtests.runs", runs
    yield "backtests.rate", runs / seconds if seconds else None
    times = sorted(record["milliseconds"] for record in results if record["outcome"] == "succeeded")
    yield "backtests.mean_ms", math.fsum(times) / len(times) if times else None
    yield "backtests.p95_ms", times[-(-len(times) * 95 // 100) - 1] if times else None


def _wrong(record: Fields) -> bool:
    got = record.get("values") or {}
    for name, value in record["independent"].items():
        if name not in got or abs(got[name] - value) > 1e-9 * max(1.0, abs(got[name]), abs(value)):
            return True
    return False


def _accounts_differ(rows: Rows) -> bool:
    results, accounts = rows.of("backtest_result"), rows.of("backtests")
    if {record["phase"] for record in results} - {account["phase"] for account in accounts}:
        return True
    for account in accounts:
        own = [record for record in results if record["phase"] == account["phase"]]
        for outcome in ("succeeded", "rejected", "failed"):
            if account[outcome] != sum(record["outcome"] == outcome for record in own):
                return True
        if account["executed"] != len(own) or account["runs"] != sum(record["runs"] for record in own):
            return True
    return False
