"""The second path to a mission's own thresholds: their figures and what each is held against, over raw JSON objects."""

import math

from reports.recount_figures import excused
from reports.recount_rows import Fields, Rows

Number = float | str | None
Asked = tuple[str, str, float, str]
"""Figure, comparison, value, and the records whose disagreement makes it INVALID."""
_SIGNS = {"below": "<", "at most": "<=", "above": ">", "at least": ">=", "equal": "="}
_LATENCIES = {"mean_ms": "mean_ms", "p50_ms": "p50_ms", "p99_ms": "p99_ms", "p99_9_ms": "p999_ms", "max_ms": "max_ms"}
_COUNTS = ("rps", "errors", "unsent")


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
    engine = None if row["scope"] == "all" else row["scope"]
    probes = rows.probes
    if row["metric"] == "response_ms":
        times = probes.took_ms(probes.chosen(row["phase"], engine))
        return math.fsum(times) / len(times) if times else None
    engines = probes.engines if engine is None else [engine]
    counted = [probes.well(probes.chosen(row["phase"], name) & ~excused(rows, name)) for name in engines]
    judged = sum(number for _, number in counted)
    return 100.0 * sum(well for well, _ in counted) / judged if judged else None


def _worst(rows: Rows, row: Fields) -> float | None:
    counts = rows.seconds.each(row["phase"], None if row["scope"] == "all" else row["scope"])
    metric = row["metric"]
    if metric == "rps":
        return min(map(float, counts["done"][counts["scheduled"] > 0]), default=None)
    if metric == "errors_share":
        ended = counts["done"] + counts["failed"] + counts["unsent"]
        lost = ended - counts["done"]
        return max(map(float, lost[ended > 0] / ended[ended > 0]), default=None)
    return max(map(float, counts["failed" if metric == "errors" else "unsent"]), default=None)
