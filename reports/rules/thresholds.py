"""A mission's own thresholds: which figures of a phase they may name, and how each is judged."""

from dataclasses import dataclass
from typing import Literal

from reports.records import Threshold
from reports.rules.rule import Measured, Rule, figure_of

ALL = "all"


@dataclass(frozen=True, slots=True)
class Metric:
    """What a threshold may name.  ``figure``: an id with places for phase and scope; ``group``: what a phase must
    measure.  ``worst``: which of a phase's seconds is the worst one, empty where seconds are not told apart.
    """

    figure: str
    title: str
    unit: str
    group: Literal["load", "health", "search"]
    scoped: bool = True
    rig: bool = False
    ceiling: float | None = None
    worst: Literal["", "most", "least"] = ""


def _lag(name: str, title: str, unit: str = "ms") -> Metric:
    return Metric(f"generator.{{phase}}.{name}", f"generator's {title}", unit, "load", scoped=False, rig=True)


_LOAD, _OWN = "load.{phase}.{scope}.", "phase.{phase}.{scope}."

METRICS: dict[str, Metric] = {
    "mean_ms": Metric(f"{_LOAD}mean_ms", "mean latency", "ms", "load"),
    "p50_ms": Metric(f"{_LOAD}p50_ms", "p50", "ms", "load"),
    "p99_ms": Metric(f"{_LOAD}p99_ms", "p99", "ms", "load"),
    "p99_9_ms": Metric(f"{_LOAD}p999_ms", "p99.9", "ms", "load"),
    "max_ms": Metric(f"{_LOAD}max_ms", "longest latency", "ms", "load"),
    "rps": Metric(f"{_LOAD}rps", "requests answered", "requests/s", "load", worst="least"),
    "errors": Metric(f"{_LOAD}errors", "failed requests", "requests", "load", worst="most"),
    "unsent": Metric(f"{_LOAD}unsent", "unsent requests", "requests", "load", worst="most"),
    "errors_share": Metric(f"{_OWN}errors_share", "share failed or unsent", "", "load", worst="most"),
    "rps_stressed": Metric(
        "load.{phase}.all.rps_stressed", "requests answered while stressed", "requests/s", "load", scoped=False
    ),
    "connections": Metric("connections.{phase}.at_peak", "connections held", "connections", "load", scoped=False),
    "generator.lag_p50_ms": _lag("lag_p50_ms", "lag, p50"),
    "generator.lag_p99_ms": _lag("lag_p99_ms", "lag, p99"),
    "generator.lag_max_ms": _lag("lag_max_ms", "longest lag"),
    "generator.cpu_percent": _lag("cpu_percent", "processor time", "%"),
    "generator.stall_max_ms": _lag("stall_max_ms", "longest stall"),
    "availability": Metric(f"{_OWN}availability_percent", "availability", "%", "health", ceiling=100.0),
    "response_ms": Metric(f"{_OWN}response_ms", "mean response of health", "ms", "health"),
    "best_rps": Metric("search.{phase}.best_rps", "highest rate in time", "requests/s", "search", scoped=False),
}
"""What a threshold may name, by the name it has in a mission's file."""


def criterion(asked: Threshold) -> str:
    """The id of its criterion."""
    return f"threshold.{asked.phase}.{asked.number}"


def figure_id(asked: Threshold) -> str | None:
    """The figure that a threshold is judged by; None for a metric that this version does not know."""
    metric = METRICS.get(asked.metric)
    if metric is None or (asked.worst_second and not metric.worst):
        return None
    if asked.worst_second:
        return f"phase.{asked.phase}.{asked.scope}.{asked.metric}_worst_second"
    return metric.figure.format(phase=asked.phase, scope=asked.scope)


def rule(asked: Threshold) -> Rule:
    """How it is judged: a breach counts whether or not it healed, and what was not measured is UNKNOWN."""
    name, metric = figure_id(asked), METRICS.get(asked.metric)
    if name is None or metric is None:
        words = f"Phase {asked.phase}: {asked.metric} {asked.compare} {asked.value:g}"
        return Rule(words, "", asked.compare, asked.value, lambda _: Measured(None, ()))
    whose = f"Phase {asked.phase}" + ("" if asked.scope == ALL else f", {asked.scope}")
    second = " in its worst second" if asked.worst_second else ""
    unit = f" {metric.unit}" if metric.unit else ""
    return Rule(
        f"{whose}: {metric.title}{second} {asked.compare} {asked.value:g}{unit}",
        metric.unit,
        asked.compare,
        asked.value,
        figure_of(name),
        metric.group if metric.group in ("load", "search") else "",
        rig=metric.rig,
        ceiling=metric.ceiling,
    )


def own(asked: list[Threshold], *, aborted: bool) -> dict[str, Rule]:
    """What a run is judged by beside the criteria that it names: its thresholds, and what it was aborted for."""
    rules = {criterion(each): rule(each) for each in asked}
    if aborted:
        rules["aborts"] = Rule("Abort conditions that held", "conditions", "equal", 0.0, figure_of("aborts.held"))
    return rules
