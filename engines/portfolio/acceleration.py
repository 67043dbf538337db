"""Which device computes the covariance here: what `nautilus profile` measured on this machine, else numpy."""

import functools
from collections.abc import Callable

from engines.wire import covariance, routing
from engines.wire.covariance import Floats
from engines.wire.health import Acceleration
from engines.wire.routing import BASELINE, Choice, Table
from engines.wire.settings import from_env, home

COMPILED = "numba"  # the other device that this engine implements, with the one thread that it has


class Covariance:
    """Computes by the table.  `last` is what the last covariance was computed with, None before any."""

    def __init__(self, table: Table, compiled: Callable[[], Callable[[Floats], Floats]] = covariance.compiled) -> None:
        self.why = table.why
        self.last: Choice | None = None
        self._table = table
        self._load = compiled
        self._compiled: Callable[[Floats], Floats] | None = None

    def __call__(self, sample: Floats) -> Floats:
        """Sample covariance (ddof 1) of days x symbols."""
        choice = self._table.route(covariance.KERNEL, sample.shape[1])
        if choice.device == COMPILED:
            self._compiled = self._compiled or self._load()
            found = self._compiled(sample)
        else:
            found = covariance.covariance(sample)
        self.last = choice
        return found

    def report(self) -> Acceleration:
        """For the health report: the device of the last covariance; before any, numpy would be no more than a guess."""
        if self.last is None:
            return Acceleration()
        return Acceleration(device=self.last.device, kernel=covariance.KERNEL, speedup_measured=self.last.speedup)

    def detail(self) -> str:
        """In words."""
        if self.last is None:
            return "no covariance computed yet"
        if self.last.device == BASELINE:
            return f"covariance with numpy: {self.why or 'the fastest here at this size'}"
        return f"covariance with {self.last.device}, measured {self.last.speedup or 1.0:.1f} times as fast as numpy"


@functools.cache
def covariances() -> Covariance:
    """This process's; the profile is read once: that of the fleet's own home, else the user's."""
    own = from_env().state.parent / routing.FILE
    return Covariance(routing.load(own if own.is_file() else home() / routing.FILE, (COMPILED,)))
