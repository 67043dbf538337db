"""The second path to a mission's own thresholds: their figures and what each is held against, over raw JSON objects."""

import math
from collections.abc import Iterator

from reports.recount_rows import Fields, Rows

Number = float | str | None
Asked = tuple[str, str, float, str]
"""Figure, comparison, value, and the records whose disagreement makes it INVALID."""
_SIGNS = {"below": "<", "at most": "<=", "above": ">", "at least": ">=", "equal": "="}
_LATENCIES = {"mean_ms": "mean_ms", "p50_ms": "p50_ms", "p99_ms": "p99_ms", "p99_9_ms": "p999_ms", "max_ms": "max_ms"}
_COUNTS = ("rps", "errors", "unsent")
_FOREVER = 2**63 - 1


def asked(rows: Rows) -> dict[str, Asked]:
    """Every threshold by its criterion's id, and whether an abort condition held, in the order they are judged."""
    found: dict[str, Asked] = {}
    for row in _wanted(rows):
        name = _figure(row) or ""
        subject = name.split(".")[0]
        if subject in ("connections", "generator"):
            subject = "load"
        elif subject == "phase":
            subject = "" if row["metric"] in ("availability", "response_ms") else "load"
        found[f"threshold.{row['phase']}.{row['number']}"] = (name, _SIGNS[row["compare"]], row["value"], subject)
    if _aborts(rows):
        found["aborts"] = ("aborts.held", "=", 0.0, "")
    return found


def figures(rows: Rows) -> dict[str, Number]:
    """The figures that only thresholds ask for."""
    found: dict[str, Number] = {}
    for row in _wanted(rows):
        name = _figure(row)
        if name is not None and name.startswith("phase."):
            found[name] = _worst(rows, row) if row["worst_second"] else _whole(rows, row)
    if _aborts(rows):
        found["aborts.held"] = _aborts(rows)
    return found


def _wanted(rows: Rows) -> list[Fields]:
    """What the run record asks."""
    begin = rows.first if rows.first.get("type") == "run" else {}
    found: list[Fields] = begin.get("thresholds", [])
    return found


def _aborts(rows: Rows) -> float:
    """Conditions that held; one at least where the end says so."""
    told = (rows.last.get("type"), rows.last.get("status")) == ("end", "aborted")
    return float(max(len(rows.of("abort")), told))


def _figure(row: Fields) -> str | None:
    phase, scope, metric = row["phase"], row["scope"], row["metric"]
    if row["worst_second"]:
        return f"phase.{phase}.{scope}.{metric}_worst_second" if metric in (*_COUNTS, "errors_share") else None
    if metric in _LATENCIES:
        return f"load.{phase}.{scope}.{_LATENCIES[metric]}"
    if metric in _COUNTS:
        return f"load.{phase}.{scope}.{metric}"
    if metric.startswith("generator."):
        return f"generator.{phase}.{metric.removeprefix('generator.')}"
    return {
        "errors_share": f"phase.{phase}.{scope}.errors_share",
        "availability": f"phase.{phase}.{scope}.availability_percent",
        "response_ms": f"phase.{phase}.{scope}.response_ms",
        "rps_stressed": f"load.{phase}.all.rps_stressed",
        "connections": f"connections.{phase}.at_peak",
        "best_rps": f"search.{phase}.best_rps",
    }.get(metric)


def _whole(rows: Rows, row: Fields) -> float | None:
    """Of a whole phase: what of its requests was lost, and what its probes found."""
    if row["metric"] == "errors_share":
        own = [item for item in rows.of("load_summary") if item["phase"] == row["phase"]]
        chosen = [item for item in own if row["scope"] in ("all", item["engine"])]
        due = sum(item["scheduled"] for item in chosen)
        lost = sum(sum((item.get("failed") or {}).values()) + item["unsent"] for item in chosen)
        return lost / due if due else None
    answers = list(_answers(rows, row))
    if row["metric"] == "response_ms":
        return math.fsum(ms for _, ms, _ in answers) / len(answers) if answers else None
    judged = [well for well, _, judged in answers if judged]
    return 100.0 * sum(judged) / len(judged) if judged else None


def _answers(rows: Rows, row: Fields) -> Iterator[tuple[bool, float, bool]]:
    """Whether each probe of the phase was answered healthy, its time, and whether no fault excuses it."""
    for engine, at, well, milliseconds in rows.asked_probes.get(row["phase"], ()):
        if row["scope"] in ("all", engine):
            spans = [
                (way["injected_ns"], way.get("regained_ns")) for way in rows.of("recovery") if engine in way["engines"]
            ]
            inside = any(low <= at <= (_FOREVER if high is None else high) for low, high in spans)
            yield well, milliseconds, not inside


def _worst(rows: Rows, row: Fields) -> float | None:
    seconds: dict[int, list[int]] = {}
    for (engine, second), counts in rows.asked_seconds.get(row["phase"], {}).items():
        if row["scope"] in ("all", engine):
            sums = seconds.setdefault(second, [0, 0, 0, 0])
            for place, count in enumerate(counts):
                sums[place] += count
    metric = row["metric"]
    if metric == "rps":
        return min((float(done) for due, done, _, _ in seconds.values() if due), default=None)
    if metric == "errors_share":
        shares = [(lost + late) / ended for _, done, lost, late in seconds.values() if (ended := done + lost + late)]
        return max(shares, default=None)
    place = 2 if metric == "errors" else 3
    return max((float(counts[place]) for counts in seconds.values()), default=None)
