"""The record kinds of which a long run has millions, kept as columns: record objects would take ten times the room.

Columns are numpy arrays in file order. Words are numbers: the place of their first appearance. What is None in a record
is NaN in a column of floats and `NONE` in one of integers.
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.records import Health, Level, Load

NONE = -1
HEALTHY = "healthy"

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Words:
    """Words by number."""

    def __init__(self) -> None:
        self._numbers = defaultdict[str, int]()
        self._numbers.default_factory = self._numbers.__len__  # a new number for a new word

    def numbers(self, words: Sequence[str]) -> list[int]:
        """Each word's number."""
        numbers = self._numbers
        return [numbers[word] for word in words]

    def of(self, word: str) -> int:
        """The word's number, NONE for one that never came."""
        return self._numbers.get(word, NONE)

    def all(self) -> list[str]:
        """In the order of their numbers."""
        return list(self._numbers)


class Loads:
    """`Load` records; `failed` is their sum over the kinds of failure."""

    FIELDS = ("second", "scheduled", "sent", "done", "failed", "unsent")

    def __init__(self) -> None:
        self.phases, self.engines = Words(), Words()
        self._phase, self._engine, self._stress = array("q"), array("q"), array("d")
        self._counts = {field: array("q") for field in self.FIELDS}

    def take(self, loads: Sequence[Load]) -> None:
        """Add records: a field of many at once is cheaper than many fields of one."""
        self._phase.extend(self.phases.numbers([load.phase for load in loads]))
        self._engine.extend(self.engines.numbers([load.engine for load in loads]))
        self._stress.extend([np.nan if load.y is None else load.y for load in loads])
        counts = self._counts
        counts["second"].extend([load.second for load in loads])
        counts["scheduled"].extend([load.scheduled for load in loads])
        counts["sent"].extend([load.sent for load in loads])
        counts["done"].extend([load.done for load in loads])
        counts["failed"].extend([sum(load.failed.values()) if load.failed else 0 for load in loads])
        counts["unsent"].extend([load.unsent for load in loads])

    def __len__(self) -> int:
        return len(self._stress)

    @property
    def phase(self) -> Ints:
        """The number of each record's phase."""
        return np.frombuffer(self._phase, np.int64)

    @property
    def engine(self) -> Ints:
        """The number of each record's engine."""
        return np.frombuffer(self._engine, np.int64)

    @property
    def stress(self) -> Floats:
        """The tape's stress of each record's second; NaN where the load did not follow a tape."""
        return np.frombuffer(self._stress, np.float64)

    def column(self, field: str) -> Ints:
        """One of FIELDS."""
        return np.frombuffer(self._counts[field], np.int64)

    def pairs(self) -> set[tuple[str, str]]:
        """The (phase, engine) that have seconds."""
        phases, engines = self.phases.all(), self.engines.all()
        found = np.unique(self.phase * max(len(engines), 1) + self.engine).tolist()
        return {(phases[pair // len(engines)], engines[pair % len(engines)]) for pair in found}

    def at(self, phase: str, engine: str) -> Mask:
        """Which records are of that phase and engine."""
        found: Mask = (self.phase == self.phases.of(phase)) & (self.engine == self.engines.of(engine))
        return found


class Probes:
    """`Health` records; `ok` are the healthy answers. `last` holds the last whole record of each engine."""

    FIELDS = ("phase", "engine", "mono_ns", "status", "failed", "pid", "restarts")

    def __init__(self) -> None:
        self.phases, self.engines, self.statuses = Words(), Words(), Words()
        self.last: dict[str, Health] = {}
        self._whole = {field: array("q") for field in self.FIELDS}
        self._response, self._uptime = array("d"), array("d")

    def take(self, probes: Sequence[Health]) -> None:
        """Add records."""
        self.last.update((probe.engine, probe) for probe in probes)
        whole = self._whole
        whole["phase"].extend(self.phases.numbers([probe.phase for probe in probes]))
        whole["engine"].extend(self.engines.numbers([probe.engine for probe in probes]))
        whole["mono_ns"].extend([probe.mono_ns for probe in probes])
        whole["status"].extend(self.statuses.numbers([probe.status for probe in probes]))
        whole["failed"].extend([probe.error is not None for probe in probes])
        whole["pid"].extend([NONE if probe.pid is None else probe.pid for probe in probes])
        whole["restarts"].extend([NONE if probe.restarts is None else probe.restarts for probe in probes])
        self._response.extend([probe.response_ms for probe in probes])
        self._uptime.extend([np.nan if probe.uptime_s is None else probe.uptime_s for probe in probes])

    def __len__(self) -> int:
        return len(self._response)

    def column(self, field: str) -> Ints:
        """One of FIELDS."""
        return np.frombuffer(self._whole[field], np.int64)

    @property
    def response_ms(self) -> Floats:
        """Time to each answer, or to the giving up."""
        return np.frombuffer(self._response, np.float64)

    @property
    def uptime_s(self) -> Floats:
        """As each answer told; NaN where it did not."""
        return np.frombuffer(self._uptime, np.float64)

    @property
    def ok(self) -> Mask:
        """Answered, and healthy."""
        found: Mask = (self.column("status") == self.statuses.of(HEALTHY)) & (self.column("failed") == 0)
        return found

    def of(self, engine: str) -> Mask:
        """Which records are of that engine."""
        found: Mask = self.column("engine") == self.engines.of(engine)
        return found

    def during(self, phase: str) -> Mask:
        """Which records are of that phase."""
        found: Mask = self.column("phase") == self.phases.of(phase)
        return found


class Levels:
    """`Level` records."""

    def __init__(self) -> None:
        self.symbols = Words()
        self._symbol, self._market, self._price = array("q"), array("q"), array("d")

    def take(self, levels: Sequence[Level]) -> None:
        """Add records."""
        self._symbol.extend(self.symbols.numbers([level.symbol for level in levels]))
        self._market.extend([level.market_ns for level in levels])
        self._price.extend([level.price for level in levels])

    def __len__(self) -> int:
        return len(self._price)

    @property
    def symbol(self) -> Ints:
        """The number of each record's symbol."""
        return np.frombuffer(self._symbol, np.int64)

    @property
    def market_ns(self) -> Ints:
        """Market time."""
        return np.frombuffer(self._market, np.int64)

    @property
    def price(self) -> Floats:
        """Currency units, or index points."""
        return np.frombuffer(self._price, np.float64)
