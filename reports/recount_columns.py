"""The second path's columns of the two kinds of which a long run has millions: seconds of load, and probes.

It knows nothing of the first path's schemas and columns: fields are taken by name, and what is missing or of another
kind raises.
"""

from array import array
from functools import cached_property
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Events = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
"""So many in one second at most: then no sum of a file's lines leaves 64 bits."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Answer = tuple[str, bool, int | None, int | None]
"""What a probe found: status, whether it failed, pid, restarts."""
_STRESSED = 0.5


class LoadLine(msgspec.Struct, gc=False):
    """What is counted of a second of load."""

    phase: str
    engine: str
    second: int
    scheduled: Events
    sent: Events
    done: Events
    unsent: Events
    failed: dict[str, Events] | None = None
    y: float | None = None


class HealthLine(msgspec.Struct, gc=False):
    """What is counted of a probe."""

    phase: str
    engine: str
    mono_ns: int
    status: str
    response_ms: float
    error: str | None = None
    pid: int | None = None
    restarts: int | None = None
    uptime_s: float | None = None


class Numbers(dict[Any, int]):
    """Numbers of words, or of answers, in the order of their first appearance."""

    def __missing__(self, word: object) -> int:
        number = self[word] = len(self)
        return number


class _Columns:
    """What both kinds have: phases and engines by number."""

    def __init__(self) -> None:
        self.phases, self.engines = Numbers(), Numbers()
        self._phase, self._engine = array("q"), array("q")

    def forget(self) -> None:
        """Keep how many lines each phase and engine has, and nothing else: millions of lines weigh."""
        self._pairs  # noqa: B018 - counted, it stays
        for name, value in vars(self).items():
            if isinstance(value, array):
                setattr(self, name, array(value.typecode))

    def _place(self, lines: list[LoadLine] | list[HealthLine]) -> None:
        self._phase.extend([self.phases[line.phase] for line in lines])
        self._engine.extend([self.engines[line.engine] for line in lines])

    def chosen(self, phase: str | None = None, engine: str | None = None) -> Mask:
        """Which lines are of that phase and engine, None being any."""
        found = np.ones(len(self._phase), np.bool_)
        if phase is not None:
            found &= ints(self._phase) == self.phases.get(phase, -1)
        if engine is not None:
            found &= ints(self._engine) == self.engines.get(engine, -1)
        return found

    def count(self, phase: str | None, engine: str | None) -> int:
        """How many lines are of that phase and engine, None being any."""
        wide = self._pairs.reshape(len(self.phases), len(self.engines))
        rows = slice(None) if phase is None else _only(self.phases, phase)
        columns = slice(None) if engine is None else _only(self.engines, engine)
        return int(wide[rows, columns].sum())

    @cached_property
    def _pairs(self) -> Ints:
        """How many lines each pair of phase and engine has, by `_keys`."""
        return np.bincount(self._keys(), minlength=len(self.phases) * len(self.engines)).astype(np.int64)

    def _keys(self) -> Ints:
        """One number for phase and engine."""
        keys: Ints = ints(self._phase) * len(self.engines) + ints(self._engine)
        return keys


class Seconds(_Columns):
    """Seconds of load in file order.  Nothing is added after the first question."""

    FIELDS = ("scheduled", "sent", "done", "failed", "unsent")

    def __init__(self) -> None:
        super().__init__()
        self._second, self._stress = array("q"), array("d")
        self._counts = {field: array("q") for field in self.FIELDS}

    def take(self, lines: list[LoadLine]) -> None:
        """Add lines."""
        self._place(lines)
        self._second.extend([line.second for line in lines])
        self._stress.extend([-1.0 if line.y is None else line.y for line in lines])
        counts = self._counts
        counts["scheduled"].extend([line.scheduled for line in lines])
        counts["sent"].extend([line.sent for line in lines])
        counts["done"].extend([line.done for line in lines])
        counts["failed"].extend([sum(line.failed.values()) if line.failed else 0 for line in lines])
        counts["unsent"].extend([line.unsent for line in lines])

    def forget(self) -> None:
        """The counts as well."""
        super().forget()
        self._counts = {field: array("q") for field in self.FIELDS}

    @cached_property
    def sums(self) -> dict[tuple[str, str], list[int]]:
        """What each phase and engine that has seconds was due, sent, answered, failed and left unsent."""
        keys = self._keys()
        there = np.flatnonzero(self._pairs)
        wide = np.zeros((len(self.FIELDS), self._pairs.size), np.int64)
        for place, field in enumerate(self.FIELDS):
            np.add.at(wide[place], keys, ints(self._counts[field]))
        phases, engines = list(self.phases), list(self.engines)
        pairs = ((phases[key // len(engines)], engines[key % len(engines)]) for key in there)
        return dict(zip(pairs, wide[:, there].T.tolist(), strict=True))

    def stressed(self, phase: str) -> float | None:
        """Answers per second over the seconds in which the tape's stress is at least one half."""
        chosen = self.chosen(phase) & (floats(self._stress) >= _STRESSED)
        seconds, counts = self._by_second(chosen)
        return int(counts["done"].sum()) / seconds.size if seconds.size else None

    def unshaped(self, phase: str) -> dict[int, tuple[int, int]]:
        """By second, of load that follows no tape: sent less ended, and answered."""
        seconds, counts = self._by_second(self.chosen(phase) & (floats(self._stress) < 0))
        gained = counts["sent"] - counts["done"] - counts["failed"]
        pairs = zip(gained.tolist(), counts["done"].tolist(), strict=True)
        return dict(zip(seconds.tolist(), pairs, strict=True))

    def each(self, phase: str, engine: str | None) -> dict[str, Ints]:
        """The counts of each second of a phase, over that engine or all."""
        return self._by_second(self.chosen(phase, engine))[1]

    def bad(self, phase: str, engine: str) -> list[int]:
        """The seconds of a phase in which a request to that engine failed or ended unsent."""
        lost = (ints(self._counts["failed"]) > 0) | (ints(self._counts["unsent"]) > 0)
        found: list[int] = ints(self._second)[self.chosen(phase, engine) & lost].tolist()
        return found

    def _by_second(self, chosen: Mask) -> tuple[Ints, dict[str, Ints]]:
        """The seconds in their order, and the counts of each, over all engines."""
        places = np.flatnonzero(chosen)
        places = places[np.argsort(ints(self._second)[places], kind="stable")]
        seconds = ints(self._second)[places]
        begins = np.flatnonzero(np.diff(seconds, prepend=seconds[:1] - 1))
        if not begins.size:
            return seconds, dict.fromkeys(self.FIELDS, seconds)
        counts = {field: np.add.reduceat(ints(self._counts[field])[places], begins) for field in self.FIELDS}
        return seconds[begins], counts


class Probes(_Columns):
    """Probes in file order.  Nothing is added after the first question."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = Numbers()
        self._at, self._answer = array("q"), array("q")
        self._took, self._uptime = array("d"), array("d")

    def take(self, lines: list[HealthLine]) -> None:
        """Add lines."""
        self._place(lines)
        self._at.extend([line.mono_ns for line in lines])
        answers = [(line.status, line.error is not None, line.pid, line.restarts) for line in lines]
        self._answer.extend([self.answers[answer] for answer in answers])
        self._took.extend([line.response_ms for line in lines])
        self._uptime.extend([-1.0 if line.uptime_s is None else line.uptime_s for line in lines])

    @property
    def at(self) -> Ints:
        """When each was made."""
        return ints(self._at)

    def took_ms(self, chosen: Mask) -> list[float]:
        """The time of each chosen probe to its answer, or to the giving up."""
        found: list[float] = floats(self._took)[chosen].tolist()
        return found

    def well(self, chosen: Mask) -> tuple[int, int]:
        """Healthy answers of the chosen probes, and how many these are."""
        fine = [number for answer, number in self.answers.items() if answer[:2] == ("healthy", False)]
        answers = ints(self._answer)[chosen]
        return int(np.isin(answers, fine).sum()), answers.size

    def last(self, chosen: Mask) -> tuple[Answer, float | None] | None:
        """What the last of the chosen probes found, and the uptime it was told."""
        places = np.flatnonzero(chosen)
        if not places.size:
            return None
        place = int(places[-1])
        uptime = self._uptime[place]
        return list(self.answers)[self._answer[place]], None if uptime < 0 else uptime


def ints(column: "array[int]") -> Ints:
    """A view of a column."""
    return np.frombuffer(column, np.int64)


def floats(column: "array[float]") -> Floats:
    """A view of a column."""
    return np.frombuffer(column, np.float64)


def _only(numbers: Numbers, word: str) -> slice:
    """The word's own row, an empty slice for a word that never came."""
    number = numbers.get(word)
    return slice(0, 0) if number is None else slice(number, number + 1)
