"""When a mission is to be aborted: `abort = ["errors_share > 0.5 for 5 s"]`, of the mission or of one phase.

Pure: fed with what was observed and when, it says which condition has held for as long as it says.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from engines.wire import manifest as manifests
from engines.wire.errors import UnknownName
from stress.condition import SIGNS, Condition, read
from stress.load.result import LoadSecond
from stress.progress import Light
from stress.specs.base import Spec


class Watched(NamedTuple):
    """What a condition may name: what a phase must measure for it, and its highest value, None for any."""

    group: str
    most: float | None = None


METRICS = {
    "errors_share": Watched("load", 1.0),  # failed or unsent, of what ended in a second
    "errors": Watched("load"),  # failed in a second
    "unsent": Watched("load"),
    "rps": Watched("load"),  # answered in a second
    "connections": Watched("load"),
    "engines_down": Watched("health"),  # gave no answer, or say that they are down
    "engines_unhealthy": Watched("health"),  # anything but healthy
    "response_ms": Watched("health"),  # longest of a round of health
    "memory_mb": Watched("health"),  # proportional set size of the fleet, 10^6 bytes
}


class Held(NamedTuple):
    """A condition has held from `since_ns` to `at_ns` (CLOCK_MONOTONIC), with its last value."""

    condition: Condition
    phase: str
    value: float
    since_ns: int
    at_ns: int


class Aborts:
    """The conditions of a mission (`phase` empty: in all phases) and since when each holds."""

    def __init__(self, conditions: Sequence[tuple[str, Condition]]) -> None:
        self._conditions = tuple(conditions)
        self._since: dict[int, int] = {}

    @property
    def metrics(self) -> frozenset[str]:
        """What any of them looks at."""
        return frozenset(condition.metric for _, condition in self._conditions)

    def saw(self, at_ns: int, phase: str, values: Mapping[str, float | None]) -> Held | None:
        """Take in what was observed in a phase; the first condition that has held for as long as it says.

        One value that does not meet a condition, one that is not known (None), and a phase that it is not of, begin
        its time anew.
        """
        for place, (own, condition) in enumerate(self._conditions):
            if own and own != phase:
                self._since.pop(place, None)
            elif condition.metric in values:
                value = values[condition.metric]
                if value is None or not condition.holds(value):
                    self._since.pop(place, None)
                    continue
                since = self._since.setdefault(place, at_ns)
                if at_ns - since >= (condition.for_s or 0.0) * 1e9:
                    return Held(condition, phase, value, since, at_ns)
        return None


def of_second(line: LoadSecond) -> dict[str, float]:
    """What a second of load shows."""
    counts = line.targets.values()
    failed, unsent = sum(sum(each.failed.values()) for each in counts), sum(each.unsent for each in counts)
    done = sum(each.done for each in counts)
    found = {"errors": failed, "unsent": unsent, "rps": done, "connections": sum(each.open for each in counts)}
    ended = done + failed + unsent
    return {**found, **({"errors_share": (failed + unsent) / ended} if ended else {})}


def of_round(lights: Mapping[str, Light]) -> dict[str, float | None]:
    """What a round of health shows of the engines that no announced fault touches."""
    counted = [light for light in lights.values() if not light.excused]
    slow = [light.response_ms for light in counted if light.response_ms is not None]
    return {
        "engines_down": sum(light.status == "down" or light.response_ms is None for light in counted),
        "engines_unhealthy": sum(light.status != "healthy" for light in counted),
        "response_ms": max(slow, default=None),
    }


def conditions(mission: Sequence[str], phases: Sequence[Spec]) -> list[tuple[str, Condition]]:
    """Every condition with the phase that it is of."""
    own = [(name, text) for spec in phases for name in spec.judged() for text in spec.abort]
    pairs = [(name, read(text)) for name, text in (*(("", text) for text in mission), *own)]
    return [(name, condition) for name, condition in pairs if condition is not None]


def mistakes(texts: Sequence[str], phases: Sequence[Spec]) -> Iterator[str]:
    """Everything that is wrong with conditions that are to be watched in these phases."""
    for text in texts:
        wrong = _mistake(text, phases)
        if wrong:
            yield f"abort: {text!r}: {wrong}"


def _mistake(text: str, phases: Sequence[Spec]) -> str:
    found = read(text)
    if found is None:
        return (
            f'expected a metric, a sign and a number, like "errors_share > 0.5 for 5 s"; signs are {", ".join(SIGNS)}'
        )
    if found.metric not in METRICS:
        return str(UnknownName("metric", found.metric, METRICS))
    group, most = METRICS[found.metric]
    most = float(len(manifests.discover())) if found.metric.startswith("engines_") else most
    meet = [found.holds(value) for value in _corners(found.value, most)]
    if not any(meet):
        return "it never holds" + ("" if most is None else f": {found.metric} is at most {most:g}")
    if all(meet):
        return "it always holds"
    watching = [spec for spec in phases if group in spec.MEASURES]
    if not watching:
        return f"no phase that it is of measures {found.metric}"
    longest = max(step.seconds for spec in watching for step in spec.plan() if step.name in spec.judged())
    if (found.for_s or 0.0) > longest:
        return f"it never holds so long: the longest phase that it is of takes {longest:g} s"
    return ""


def _corners(value: float, most: float | None) -> list[float]:
    """Values that a metric can take: its ends, and those about the one asked for."""
    top = max(1e12, 2 * value) if most is None else most
    return [each for each in (0.0, value - 1e-9, value, value + 1e-9, top) if 0.0 <= each <= top]
