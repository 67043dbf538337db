"""Heartbeats in shared memory: one slot an engine, written by the engine, read by its supervisor.

A slot is 40 bytes, little-endian: pid (u4), state (u4), heartbeat (u8), ready-at (u8), largest loop stall (u8), open
orders (u4), lag (u4).  The three u8 are CLOCK_MONOTONIC nanoseconds, which all processes of a host share.
Each field is written whole and aligned, so that a reader never sees half of one.
"""

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

from engines.wire.state import EngineState

_SLOT = struct.Struct("<IIQQQII")


class Pulse(NamedTuple):
    """What a slot says.  Times are CLOCK_MONOTONIC nanoseconds, 0 before the first beat.

    `orders`: open orders that the engine knows of; `lag`: batches read and not yet committed, plus one for each bus
    that is known to hold more.
    """

    pid: int
    state: EngineState
    beat_ns: int
    ready_ns: int
    stall_ns: int
    orders: int = 0
    lag: int = 0


class Beats:
    """The heartbeat file of a fleet."""

    def __init__(self, path: Path, slots: int, *, create: bool = False) -> None:
        size = slots * _SLOT.size
        with path.open("w+b" if create else "r+b") as file:
            if create:
                file.truncate(size)
            self._map = mmap.mmap(file.fileno(), size)
        self.slots = slots

    def read(self, slot: int) -> Pulse:
        """The pulse of a slot."""
        pid, state, *rest = _SLOT.unpack_from(self._map, slot * _SLOT.size)
        return Pulse(pid, EngineState(state), *rest)

    def write(self, slot: int, pulse: Pulse) -> None:
        """Overwrite a slot."""
        _SLOT.pack_into(self._map, slot * _SLOT.size, *pulse)

    def clear(self, slot: int) -> None:
        """Forget what a former incarnation wrote."""
        self.write(slot, Pulse(0, EngineState.DECLARED, 0, 0, 0))

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()
