"""Severity sweeps: copies of a scenario with other falls, peaks and depths. Pure values; nothing is run."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from engines.wire.errors import UsageError
from engines.wire.scenario import Scenario
from engines.wire.scenario_file import ScenarioErrors
from engines.wire.scenario_rules import problems

MOST = 512  # copies of one sweep


def sweep(
    scenario: Scenario,
    falls: Sequence[float] = (),
    peaks: Sequence[float] = (),
    depths: Sequence[float] = (),
) -> tuple[Scenario, ...]:
    """Every combination of ``leg.drop``, ``activity.peak`` and ``book.depth_floor``; none given keeps the scenario's.

    The day's pins hold in all of them: a fall larger than the day's range is a conflict of that copy (``conflicts``).
    Raises ``ScenarioErrors`` with the mistakes of all copies, ``UsageError`` for more than 512 of them.
    """
    axes = (falls or [scenario.leg.drop], peaks or [scenario.activity.peak], depths or [scenario.book.depth_floor])
    count = len(axes[0]) * len(axes[1]) * len(axes[2])
    if count > MOST:
        raise UsageError(f"The sweep has {count} scenarios.", f"At most {MOST} are made at once.", "Give fewer values.")
    made = tuple(_copy(scenario, *values) for values in product(*axes))
    mistakes = [f"{each.name}: {mistake}" for each in made for mistake in problems(each)]
    if mistakes:
        raise ScenarioErrors(f"the sweep of {scenario.name}", mistakes)
    return made


def _copy(scenario: Scenario, fall: float, peak: float, depth: float) -> Scenario:
    return replace(
        scenario,
        name=f"{scenario.name} fall={fall:g} peak={peak:g} depth={depth:g}",
        aliases=(),
        leg=replace(scenario.leg, drop=fall),
        activity=replace(scenario.activity, peak=peak),
        book=replace(scenario.book, depth_floor=depth),
    )
