"""Overlays of the tape as faults: they begin and end with the market's clock, and heal by themselves.

Injection is seen when the replay has come to an overlay's beginning, and proven by the rows that the tape holds of it.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from engines.wire.errors import NautilusError
from stress.faults.fault import Done, Fault, Undo, Value
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

TAPE = "tape"
_LATE_S = 30.0  # the longest wait for the replay to get there
_LOOK_S = 0.05


class Laid(NamedTuple):
    """A kind of its own for one overlay of one storm: [start_ns, end_ns) of market time."""

    name: str
    symbol: str
    start_ns: int
    end_ns: int
    fleet: "MissionFleet"
    lasting: bool = True

    def mistakes(self, _target: str, _parameters: Mapping[str, Value], /) -> Iterator[str]:
        """The scenario's own rules have judged it."""
        yield from ()

    def inject(self, fault: Fault, _fleet: "MissionFleet", _journal: UndoJournal, /) -> Done:
        """Wait until the replay has passed its beginning, and count its rows."""
        at, status = self._passed(self.start_ns)
        count = sum(
            found["count"]
            for found in status.get("findings", ())
            if (found["kind"], found["symbol"], found["start_ns"]) == (self.name, self.symbol, self.start_ns)
        )
        there = status.get("ts_ns", 0) >= self.start_ns
        words = f"the tape holds {count} of it" + ("" if there else ", but the replay did not get there")
        return Done(at, there and count > 0, words, Undo(fault=fault.id, kind=self.name, target=TAPE))

    def heal(self, _undo: Undo, _journal: UndoJournal, /) -> Done:
        """Wait until the replay has passed its end."""
        at, status = self._passed(self.end_ns)
        over = status.get("ts_ns", 0) >= self.end_ns
        return Done(at, over, f"the replay is {'past its end' if over else 'still before its end'}")

    def _passed(self, ts_ns: int) -> tuple[int, dict[str, Any]]:
        """When the replay was seen at or past a market time, and its status; the last one when it was not."""
        until = time.monotonic() + _LATE_S
        status: dict[str, Any] = {}
        while True:
            with contextlib.suppress(NautilusError):  # it is being replaced: the replay goes on where it was
                status = self.fleet.get("marketdata", "/replay")
            now = time.monotonic()
            if status.get("ts_ns", 0) >= ts_ns or status.get("state") in ("finished", "failed") or now > until:
                return time.monotonic_ns(), status
            time.sleep(_LOOK_S)
