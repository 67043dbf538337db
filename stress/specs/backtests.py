"""Many backtests at once, as data."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from stress.specs.base import PAUSE_S, PhasePlan, Seconds, Spec

_BACKTEST_S, _SWEEP_S = 0.01, 0.1


class Backtests(Spec, frozen=True, kw_only=True, tag="backtests"):
    """Many backtests at once; every `check_every`th is computed again by a loop over the days.

    `sweeps` of them are grids of crossovers; `refused` cannot be run and must be refused.
    """

    singles: Annotated[int, Meta(ge=1, le=100_000)] = 400
    sweeps: Annotated[int, Meta(ge=0, le=10_000)] = 20
    refused: Annotated[int, Meta(ge=0, le=10_000)] = 20
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 32
    check_every: Annotated[int, Meta(ge=1)] = 10
    timeout_s: Seconds = 30.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        words = f"{self.singles} backtests and {self.sweeps} sweeps, {self.concurrency} at once"
        yield PhasePlan(self.title, words, self.singles * _BACKTEST_S + self.sweeps * _SWEEP_S + PAUSE_S)
