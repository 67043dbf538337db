"""What a replay is asked for, and the scenario that follows from it."""

import datetime as dt
from dataclasses import replace
from typing import Annotated

import msgspec

from engines.wire.messages import Session
from engines.wire.scenario import Scenario, Window
from engines.wire.scenario_file import ScenarioErrors, load
from engines.wire.scenario_rules import problems
from engines.wire.session import NS, open_ns, wall_time


class WindowRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another measured window: New York times of the scenario's day, market seconds per wall second."""

    start: dt.time
    end: dt.time
    speed: Annotated[float, msgspec.Meta(gt=0)]


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A replay of a shipped scenario, or of the TOML file at a path.

    `window_at_ns`: the CLOCK_MONOTONIC instant at which the window is to begin; 0 as soon as the consumers are ready.
    """

    scenario: str = "flash-crash-2010"
    seed: Annotated[int, msgspec.Meta(ge=0)] = 1
    quick: bool = False
    window: WindowRequest | None = None
    ticks: Annotated[int, msgspec.Meta(ge=1_000, le=5_000_000)] | None = None
    window_at_ns: int = 0
    rules: dt.date | None = None  # a what-if: the rulebook of that day

    def resolve(self) -> Scenario:
        """The scenario with the request's changes.

        Raises:
            UnknownName: there is no such scenario.
            ScenarioErrors: the changes make no scenario.
        """
        scenario = load(self.scenario)
        if self.ticks is not None:
            scenario = replace(scenario, ticks=self.ticks)
        if self.rules is not None:
            scenario = replace(scenario, rules_asof=self.rules)
        if self.window is not None:
            scenario = replace(scenario, window=Window(self.window.start, self.window.end, self.window.speed))
        elif self.quick:
            scenario = scenario.quick()
        found = problems(scenario)
        if found:
            raise ScenarioErrors(self.scenario, found)
        return scenario


def again(session: Session) -> ReplayRequest:
    """The request that gives the replay whose session message this is."""
    window = None
    if session.window is not None:
        opening = open_ns(dt.date.fromisoformat(session.date))
        start, end = (wall_time((ns - opening) / NS) for ns in (session.window.start_ns, session.window.end_ns))
        window = WindowRequest(start, end, session.window.speed)
    at_ns = session.window.mono_ns if session.window is not None else 0
    asof = dt.date.fromisoformat(session.rules_asof) if session.rules_asof else None
    return ReplayRequest(
        session.scenario, session.seed, window=window, ticks=session.ticks or None, window_at_ns=at_ns, rules=asof
    )
