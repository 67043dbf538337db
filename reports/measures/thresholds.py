"""Figures that only a mission's own thresholds ask for: of one phase, and of its worst second."""

from collections.abc import Callable, Iterator

import numpy as np

from reports.bulk import Floats, Ints, Mask
from reports.figures import Evidence, Figure, in_history
from reports.history import History
from reports.measures.fleet import availability, excused
from reports.measures.load import in_phase
from reports.records import Abort, LoadSummary, Threshold
from reports.rules.thresholds import ALL, METRICS, figure_id


def measure(history: History) -> Iterator[Figure]:
    """One figure for each that is asked for, however often it is; and how many abort conditions held."""
    begun = history.run.thresholds if history.run is not None else []
    asked = {name: each for each in begun if (name := figure_id(each)) is not None}
    for name, each in asked.items():
        if each.worst_second:
            yield _worst(name, each, history)
        elif name.startswith("phase."):
            yield _OF[each.metric](name, each, history)
    aborts = history.of(Abort)
    if aborts or history.word == "aborted":
        words = "conditions on which the mission was to be aborted and that held as long as they say"
        yield Figure("aborts.held", max(len(aborts), 1), "conditions", words, (in_history("abort", aborts),))


def _probes(asked: Threshold, history: History) -> tuple[Mask, Evidence]:
    probes = history.probes
    chosen = probes.during(asked.phase)
    where = {"phase": asked.phase}
    if asked.scope != ALL:
        chosen = chosen & probes.of(asked.scope)
        where["engine"] = asked.scope
    return chosen, in_history("health", int(chosen.sum()), **where)


def _availability(name: str, asked: Threshold, history: History) -> Figure:
    chosen, source = _probes(asked, history)
    percent = availability(history.probes, chosen & ~excused(history))
    return Figure(name, percent, "%", "healthy answers of the phase's probes outside faults", (source,))


def _response(name: str, asked: Threshold, history: History) -> Figure:
    chosen, source = _probes(asked, history)
    mean = float(history.probes.response_ms[chosen].mean()) if chosen.any() else None
    return Figure(name, mean, "ms", "mean over the phase's probes, failed ones at their full time", (source,))


def _errors_share(name: str, asked: Threshold, history: History) -> Figure:
    own = [each for each in in_phase(history.of(LoadSummary), asked.phase) if asked.scope in (ALL, each.engine)]
    due = sum(each.scheduled for each in own)
    lost = sum(sum(each.failed.values()) + each.unsent for each in own)
    where = {"phase": asked.phase} if asked.scope == ALL else {"phase": asked.phase, "engine": asked.scope}
    source = (in_history("load_summary", own, **where),)
    return Figure(name, lost / due if due else None, "", "failed or unsent requests over those due", source)


def _worst(name: str, asked: Threshold, history: History) -> Figure:
    """Over the engines of each second: the most, or the least of those seconds in which requests were due."""
    loads, metric = history.loads, METRICS[asked.metric]
    where = {"phase": asked.phase}
    chosen: Mask = loads.phase == loads.phases.of(asked.phase)
    if asked.scope != ALL:
        chosen = loads.at(asked.phase, asked.scope)
        where["engine"] = asked.scope
    seconds = loads.column("second")[chosen]
    length = int(seconds.max()) + 1 if seconds.size else 0

    def total(field: str) -> Ints:
        found = np.zeros(length, np.int64)
        np.add.at(found, seconds, loads.column(field)[chosen])
        return found

    values = _SECONDS[asked.metric](total)
    if metric.worst == "least":
        values = values[total("scheduled") > 0]
    worst = None if not values.size else float(values.max() if metric.worst == "most" else values.min())
    words = f"the {metric.worst} of any second of the phase, by the clock"
    return Figure(name, worst, metric.unit, words, (in_history("load", int(chosen.sum()), **where),))


def _lost_share(total: Callable[[str], Ints]) -> Floats:
    lost = total("failed") + total("unsent")
    ended = lost + total("done")
    return np.asarray(lost[ended > 0] / ended[ended > 0], np.float64)


_OF = {"availability": _availability, "response_ms": _response, "errors_share": _errors_share}
_SECONDS = {
    "rps": lambda total: total("done"),
    "errors": lambda total: total("failed"),
    "unsent": lambda total: total("unsent"),
    "errors_share": _lost_share,
}
"""Values of a second from its counts."""
