"""The supervisor's hand in halt, drain and stop: who is told, what their slots say (`engines.fleet.drain` judges)."""

from collections.abc import Mapping

from engines.fleet.drain import Drain, Look, look
from engines.fleet.units import EngineUnit, Unit
from engines.wire.beat import Pulse
from engines.wire.leash import HALT, RESUME
from engines.wire.manifest import ranks


class Halting:
    """The drains under way, over the supervisor's live table of units."""

    def __init__(self, units: Mapping[str, Unit]) -> None:
        self._units = units
        self._drains: list[Drain] = []

    @property
    def busy(self) -> bool:
        """Something is being drained."""
        return bool(self._drains)

    @property
    def stopping(self) -> bool:
        """The fleet stops once it is drained."""
        return any(not drain.restart for drain in self._drains)

    def begin(self, until: float, restart: str = "") -> bool:
        """Have the order engines that are up halt.  False when there is none: nothing is to be waited for.

        For the restart of one of them: it, and those that start after it.
        """
        engines = {name: unit for name, unit in self._units.items() if isinstance(unit, EngineUnit) and unit.record.up}
        mine = {name for name, unit in engines.items() if unit.manifest.orders and unit.pulse() is not None}
        known = [unit.manifest for unit in self._units.values() if isinstance(unit, EngineUnit)]
        order = [manifest.name for rank in reversed(ranks(known)) for manifest in rank if manifest.name in mine]
        if restart:
            order = order[: order.index(restart) + 1]
        if not order:
            return False
        engines[order[0]].say(HALT)
        watched = () if restart else tuple(engines)
        self._drains.append(Drain(order=tuple(order), watched=watched, until=until, restart=restart))
        return True

    def needs(self, name: str) -> bool:
        """It is an order engine with open orders, so it is not simply restarted."""
        unit = self._units[name]
        pulse = unit.pulse()
        return isinstance(unit, EngineUnit) and unit.manifest.orders and pulse is not None and pulse.orders > 0

    def turn(self, now: float) -> list[Look]:
        """Look at every drain; those that are over.  After one for a restart orders may leave again."""
        over = []
        left = []
        for drain in self._drains:
            seen = look(drain, self._pulses(), now)
            if seen.tell:
                self._units[seen.tell].say(HALT)
            if not seen.over:
                left.append(seen.drain)
                continue
            over.append(seen)
            for name in seen.drain.order[: seen.drain.told] if seen.drain.restart else ():
                if name != seen.drain.restart or seen.left:
                    self._units[name].say(RESUME)
        self._drains = left
        return over

    def _pulses(self) -> dict[str, Pulse]:
        return {name: pulse for name, unit in self._units.items() if (pulse := unit.pulse()) is not None}
