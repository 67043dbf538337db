"""What a proxy does to the connections that it carries, as data, and the arithmetic of it."""

import random
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from stress.faults.fault import Value
from stress.faults.parameter import Parameter

Mode = Literal["pass", "latency", "bandwidth", "stall", "reset", "half-open", "partition"]
MODES: tuple[Mode, ...] = ("latency", "bandwidth", "stall", "reset", "half-open", "partition")
_HELD = 4 << 20  # bytes on their way in one direction
_SEED = Parameter("seed", 0, 2**32, 0, "of the jitter and of the times of resets")
_LATENCY = (
    Parameter("delay_ms", 1, 10_000, 50, "milliseconds, each way"),
    Parameter("jitter_ms", 0, 10_000, 0, "milliseconds on top, uniform"),
)
_BANDWIDTH = (Parameter("bytes_per_s", 1_000, 10_000_000, 100_000, "bytes a second, each way, of each connection"),)
_SLICE_S = 0.01  # of a limited connection's time that one piece takes: the bucket's depth
_RESET = (Parameter("mean_ms", 10, 60_000, 500, "milliseconds to a connection's reset, exponential"),)
PARAMETERS: dict[Mode, tuple[Parameter, ...]] = {
    "latency": (*_LATENCY, _SEED),
    "bandwidth": (*_BANDWIDTH, _SEED),
    "stall": (_SEED,),
    "reset": (*_RESET, _SEED),
    "half-open": (_SEED,),
    "partition": (_SEED,),
}


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One treatment of a connection.

    pass: nothing.  latency: every byte arrives `delay_ms` plus up to `jitter_ms` (uniform) later, in each direction, in
    order.  bandwidth: each connection carries `bytes_per_s` in each direction and no more, in order; a sender that is
    faster fills the proxy's buffer, a second's bytes, and then waits.  stall: connections stay open and nothing is
    carried; what was held arrives when the stall ends.  reset: each connection breaks in the middle of a reply, after
    an exponential time of mean `mean_ms`.  half-open: the peer is gone without a word; the client may write, and
    nothing comes back.  partition: open connections are cut and new ones closed before a byte.
    """

    mode: Mode = "pass"
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    bytes_per_s: float = 0.0
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
    """When the bytes of one direction arrive: delayed, no faster than they may, and in order."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._last = 0.0

    def due(self, shape: Shape, now: float, size: int = 0) -> float:
        """The arrival of `size` bytes that were sent at `now` (seconds of any one clock).

        A limited direction is a token bucket without a reserve, in its form of virtual scheduling (ITU-T I.371, GCRA):
        a piece is due when it would have left a line of that rate behind all before it.
        """
        if shape.mode == "bandwidth":
            self._last = max(self._last, now) + size / shape.bytes_per_s
            return self._last
        late = 0.0
        if shape.mode == "latency":
            late = (shape.delay_ms + self._chance.random() * shape.jitter_ms) / 1000
        self._last = max(self._last, now + late)
        return self._last

    def forget(self) -> None:
        """What comes from now on waits for nothing before it but by its order."""
        self._last = 0.0


def room(shape: Shape) -> int:
    """Bytes that one direction may hold before its sender is not read."""
    return round(min(_HELD, shape.bytes_per_s)) if shape.mode == "bandwidth" else _HELD


def pieces(shape: Shape, data: bytes) -> Iterator[bytes]:
    """What was read, in the pieces that arrive one by one: those of a limited direction are 10 ms of its line."""
    size = max(1, int(shape.bytes_per_s * _SLICE_S)) if shape.mode == "bandwidth" else max(1, len(data))
    for start in range(0, len(data), size):
        yield data[start : start + size]


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
        bytes_per_s=given.get("bytes_per_s", 0.0),
        mean_ms=given.get("mean_ms", 0.0),
        seed=int(given["seed"]),
    )
