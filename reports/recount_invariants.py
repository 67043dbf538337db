"""The second path to the trading invariants, to refused orders and to the age of data at decisions, over raw JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator

from reports.recount_hdr import HdrLogs
from reports.recount_rows import Fields, Rows

Number = float | str | None
Pairs = Iterator[tuple[str, Number]]
_DECIDED = {"risk": "tick-to-check", "strategy": "tick-to-signal", "portfolio": "tick-to-mark"}
_STALE = {"ns": 100_000_000, "us": 100_000, "ms": 100}


def figures(rows: Rows, logs: HdrLogs) -> dict[str, Number]:
    """Every figure about them."""
    parts = (_invariants(rows), _denials(rows), _staleness(rows, logs))
    return {name: float(value) if isinstance(value, int) else value for part in parts for name, value in part}


def refused(rows: Rows, until: int) -> int:
    """Orders that the record says were refused up to a time (CLOCK_MONOTONIC)."""
    return sum(record["count"] for record in rows.of("denial") if record["mono_ns"] <= until)


def _invariants(rows: Rows) -> Pairs:
    told = rows.of("invariant")
    if not told:
        return
    whole = Counter(_state(told, number) for number in range(1, 12))
    for state in ("HOLDS", "BROKEN", "UNKNOWN"):
        yield f"invariants.{state.lower()}", whole[state]
    clauses: dict[tuple[int, str], set[str]] = {}
    for record in told:
        clauses.setdefault((record["number"], record["clause"]), set()).add(record["outcome"])
    yield "invariants.clauses", len(clauses)
    yield "invariants.clauses_unknown", sum(seen == {"UNKNOWN"} for seen in clauses.values())
    for number in range(1, 12):
        own = [record for record in told if record["number"] == number]
        seen = [states for (owner, _), states in clauses.items() if owner == number]
        yield f"invariant.{number}.outcome", _state(told, number)
        yield f"invariant.{number}.held", sum("HOLDS" in states and "BROKEN" not in states for states in seen)
        yield f"invariant.{number}.unknown", sum(states == {"UNKNOWN"} for states in seen)
        yield f"invariant.{number}.checked", sum(record["checked"] for record in own)
        yield f"invariant.{number}.violations", sum(record["violations"] for record in own)


def _state(told: list[Fields], number: int) -> str:
    """Broken in any phase; held when it is in each, but for those that had nothing for it and held something else."""
    outcomes = {record["outcome"] for record in told if record["number"] == number}
    if "BROKEN" in outcomes:
        return "BROKEN"
    for phase in {record["phase"] for record in told}:
        here = [record for record in told if record["phase"] == phase]
        mine = [record for record in here if record["number"] == number]
        idle = mine and all(record["checked"] == 0 for record in mine) and _held(here)
        if not (_held(mine) or idle):
            return "UNKNOWN"
    return "HOLDS" if "HOLDS" in outcomes else "UNKNOWN"


def _held(records: Iterable[Fields]) -> bool:
    return any(record["outcome"] == "HOLDS" for record in records)


def _denials(rows: Rows) -> Pairs:
    counts = Counter[str]()
    for record in rows.of("denial"):
        counts[record["code"]] += record["count"]
    told = [record["seen"] for record in rows.of("observer") if record["subject"] == "denials"]
    begin = rows.first if rows.first.get("type") == "run" else None
    known = begin is not None and bool(told) and told[-1] == counts.total()
    declared = set((begin or {}).get("expect", {}).get("denials", []))
    yield "denials.observed", counts.total() if known else None
    yield "denials.missing", len(declared.difference(counts)) if known else None
    yield "denials.unexpected", len(set(counts).difference(declared)) if known else None
    for code, count in counts.items():
        yield f"denials.code.{code}", count


def _staleness(rows: Rows, logs: HdrLogs) -> Pairs:
    hops: dict[tuple[str, str], Fields] = {}
    for record in rows.of("hop"):
        hops[record["phase"], record["name"]] = record
    for engine, name in _DECIDED.items():
        own = [record for (_, each), record in hops.items() if each == name]
        if not own:
            continue
        old = total = 0
        whole = True
        for record in own:
            counts = logs.counts(record["hlog"])
            if counts is None or counts.total() != record["count"]:
                whole = False
                continue
            limit = _STALE[record.get("hlog_unit", "us")]
            total += counts.total()
            old += sum(number for slot, number in counts.items() if _top(slot) > limit)
        yield f"staleness.{engine}.share_over_100ms", 100.0 * old / total if whole and total else None


def _top(slot: int) -> int:
    """The highest value of a slot: single units up to 2047, then 1024 slots for each doubling."""
    doubling = max(slot // 1024 - 1, 0)
    return ((slot - doubling * 1024 + 1) << doubling) - 1
