"""A regression gate: which changes between two runs a pipeline does not accept.

A gate is ``PATTERN>P%`` (the figure rose by more than P per cent) or ``PATTERN<P%`` (it fell by more). PATTERN is a
shell pattern over figure ids, such as ``load.*.all.p99_ms``. A latency fails its gate only when the change is also
shown to be more than chance; a figure that either run lacks decides nothing and is told.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from reports.compare import Change, Comparison
from reports.errors import ReportError

_FORM = re.compile(r"^(?P<pattern>[\w.*?\[\]-]+)(?P<side>[<>])(?P<percent>\d+(\.\d+)?)%?$")

Outcome = Literal["passed", "failed", "unknown"]


@dataclass(frozen=True)
class Gate:
    """What is not accepted: a change beyond ``percent`` to that side."""

    text: str
    pattern: str
    side: str
    percent: float


@dataclass(frozen=True)
class Checked:
    """One gate on one figure."""

    gate: Gate
    change: Change
    outcome: Outcome
    why: str


def parse(text: str) -> Gate:
    """Raises ReportError when it is not a gate."""
    found = _FORM.match(text.replace(" ", ""))
    if found is None:
        raise ReportError(
            f"{text!r} is no gate.",
            "A gate is a figure's id or a pattern, > or <, and a percentage.",
            "For example: --fail-on 'load.*.all.p99_ms>10%'",
        )
    return Gate(text, found["pattern"], found["side"], float(found["percent"]))


def check(gate: Gate, comparison: Comparison) -> list[Checked]:
    """Every figure that the gate names. Raises ReportError when it names none."""
    named = [change for change in comparison.changes if fnmatchcase(change.id, gate.pattern)]
    if not named:
        raise ReportError(
            f"No figure is called {gate.pattern}.",
            "A gate that watches nothing would always pass.",
            "See the figures' names: nautilus report compare A B --all",
        )
    return [_one(gate, change) for change in named]


def _one(gate: Gate, change: Change) -> Checked:
    if change.old is None or change.new is None:
        return Checked(gate, change, "unknown", "not measured in both runs")
    limit = gate.percent / 100.0
    if change.change is None:  # from zero, any rise is beyond any percentage
        beyond = gate.side == ">" and change.new > 0
    else:
        beyond = change.change > limit if gate.side == ">" else change.change < -limit
    if not beyond:
        return Checked(gate, change, "passed", "within the limit")
    wanted = "higher" if gate.side == ">" else "lower"
    if change.finding in ("not tested", wanted):
        return Checked(gate, change, "failed", "beyond the limit")
    if change.finding == "too short":
        return Checked(gate, change, "unknown", "beyond the limit, but the runs are too short to tell it from chance")
    return Checked(gate, change, "passed", "beyond the limit, but not more than chance explains")
