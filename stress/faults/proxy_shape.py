"""What a proxy does to the connections that it carries, as data, and the arithmetic of it."""

import random
from collections.abc import Mapping
from typing import Literal

import msgspec

from stress.faults.fault import Value
from stress.faults.parameter import Parameter

Mode = Literal["pass", "latency", "stall", "reset", "half-open", "partition"]
MODES: tuple[Mode, ...] = ("latency", "stall", "reset", "half-open", "partition")
_SEED = Parameter("seed", 0, 2**32, 0, "of the jitter and of the times of resets")
_LATENCY = (
    Parameter("delay_ms", 1, 10_000, 50, "milliseconds, each way"),
    Parameter("jitter_ms", 0, 10_000, 0, "milliseconds on top, uniform"),
)
_RESET = (Parameter("mean_ms", 10, 60_000, 500, "milliseconds to a connection's reset, exponential"),)
PARAMETERS: dict[Mode, tuple[Parameter, ...]] = {
    "latency": (*_LATENCY, _SEED),
    "stall": (_SEED,),
    "reset": (*_RESET, _SEED),
    "half-open": (_SEED,),
    "partition": (_SEED,),
}


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One treatment of a connection.

    pass: nothing.  latency: every byte arrives `delay_ms` plus up to `jitter_ms` (uniform) later, in each direction, in
    order.  stall: connections stay open and nothing is carried; what was held
    arrives when the stall ends.  reset: each connection breaks in the middle of a reply, after an exponential time of
    mean `mean_ms`.  half-open: the peer is gone without a word; the client may write, and nothing comes back.
    partition: open connections are cut and new ones closed before a byte.
    """

    mode: Mode = "pass"
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    mean_ms: float = 0.0
    seed: int = 0


class Victims(msgspec.Struct, frozen=True, kw_only=True):
    """Whose connections suffer.  `names`: processes of these names (an engine's name outlives its restarts) and `pids`;
    both empty: everyone but `spared`.  A peer without a pid (TCP) is everyone.
    """

    names: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    spared: tuple[int, ...] = ()

    def holds(self, pid: int | None, name: str) -> bool:
        """Whether a client's connection is to suffer."""
        if pid is None:
            return True
        if self.names or self.pids:
            return name in self.names or pid in self.pids
        return pid not in self.spared


class Dues:
    """When the bytes of one direction arrive: delayed, and in order."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._last = 0.0

    def due(self, shape: Shape, now: float) -> float:
        """The arrival of what was sent at `now` (seconds of any one clock)."""
        late = 0.0
        if shape.mode == "latency":
            late = (shape.delay_ms + self._chance.random() * shape.jitter_ms) / 1000
        self._last = max(self._last, now + late)
        return self._last


def chance(seed: int, number: int, direction: str) -> random.Random:
    """The randomness of one direction of the connection `number`: the same for the same seed."""
    return random.Random(f"{seed}/{number}/{direction}")


def cut(size: int) -> int:
    """How many bytes of a reply of `size` still arrive before its connection is reset: about half."""
    return size // 2


def shape_of(mode: Mode, parameters: Mapping[str, Value]) -> Shape:
    """The treatment that a fault's checked parameters ask for."""
    given = {parameter.name: parameter.of(parameters) for parameter in PARAMETERS[mode]}
    return Shape(
        mode=mode,
        delay_ms=given.get("delay_ms", 0.0),
        jitter_ms=given.get("jitter_ms", 0.0),
        mean_ms=given.get("mean_ms", 0.0),
        seed=int(given["seed"]),
    )
