"""The record kinds of which a long run has millions, kept as columns: record objects would take ten times the room.

Columns are numpy arrays in file order. Words are numbers: the place of their first appearance. What is None in a record
is NaN in a column of floats and `NONE` in one of integers.
"""

from array import array

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
        self.numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        """The word's number, a new one for a new word."""
        return self.numbers.setdefault(word, len(self.numbers))

    def of(self, word: str) -> int:
        """The word's number, NONE for one that never came."""
        return self.numbers.get(word, NONE)

    def all(self) -> list[str]:
        """In the order of their numbers."""
        return list(self.numbers)


class Loads:
    """`Load` records; `failed` is their sum over the kinds of failure."""

    FIELDS = ("second", "scheduled", "sent", "done", "failed", "unsent")

    def __init__(self) -> None:
        self.phases, self.engines = Words(), Words()
        self._words, self._counts, self._stress = array("q"), array("q"), array("d")

    def add(self, load: Load) -> None:
        """Take one record."""
        self._words.extend((self.phases.number(load.phase), self.engines.number(load.engine)))
        failed = sum(load.failed.values()) if load.failed else 0
        self._counts.extend((load.second, load.scheduled, load.sent, load.done, failed, load.unsent))
        self._stress.append(np.nan if load.y is None else load.y)

    def __len__(self) -> int:
        return len(self._stress)

    @property
    def phase(self) -> Ints:
        """The number of each record's phase."""
        return np.frombuffer(self._words, np.int64)[::2]

    @property
    def engine(self) -> Ints:
        """The number of each record's engine."""
        return np.frombuffer(self._words, np.int64)[1::2]

    @property
    def stress(self) -> Floats:
        """The tape's stress of each record's second; NaN where the load did not follow a tape."""
        return np.frombuffer(self._stress, np.float64)

    def column(self, field: str) -> Ints:
        """One of FIELDS."""
        return np.frombuffer(self._counts, np.int64)[self.FIELDS.index(field) :: len(self.FIELDS)]

    def pairs(self) -> set[tuple[str, str]]:
        """The (phase, engine) that have seconds."""
        phases, engines = self.phases.all(), self.engines.all()
        found = np.unique(np.stack([self.phase, self.engine], axis=1), axis=0) if len(self) else ()
        return {(phases[phase], engines[engine]) for phase, engine in found}

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
        self._whole, self._real = array("q"), array("d")

    def add(self, probe: Health) -> None:
        """Take one record."""
        self.last[probe.engine] = probe
        self._whole.extend(
            (
                self.phases.number(probe.phase),
                self.engines.number(probe.engine),
                probe.mono_ns,
                self.statuses.number(probe.status),
                probe.error is not None,
                NONE if probe.pid is None else probe.pid,
                NONE if probe.restarts is None else probe.restarts,
            )
        )
        self._real.extend((probe.response_ms, np.nan if probe.uptime_s is None else probe.uptime_s))

    def __len__(self) -> int:
        return len(self._real) // 2

    def column(self, field: str) -> Ints:
        """One of FIELDS."""
        return np.frombuffer(self._whole, np.int64)[self.FIELDS.index(field) :: len(self.FIELDS)]

    @property
    def response_ms(self) -> Floats:
        """Time to each answer, or to the giving up."""
        return np.frombuffer(self._real, np.float64)[::2]

    @property
    def uptime_s(self) -> Floats:
        """As each answer told; NaN where it did not."""
        return np.frombuffer(self._real, np.float64)[1::2]

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
        self._whole, self._price = array("q"), array("d")

    def add(self, level: Level) -> None:
        """Take one record."""
        self._whole.extend((self.symbols.number(level.symbol), level.market_ns))
        self._price.append(level.price)

    def __len__(self) -> int:
        return len(self._price)

    @property
    def symbol(self) -> Ints:
        """The number of each record's symbol."""
        return np.frombuffer(self._whole, np.int64)[::2]

    @property
    def market_ns(self) -> Ints:
        """Market time."""
        return np.frombuffer(self._whole, np.int64)[1::2]

    @property
    def price(self) -> Floats:
        """Currency units, or index points."""
        return np.frombuffer(self._price, np.float64)
