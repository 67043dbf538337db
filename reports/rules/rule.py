"""How a criterion is judged, as a value; and the commonest ways to measure one."""

from collections.abc import Callable
from dataclasses import dataclass

from reports.figures import Figure, Figures
from reports.records import Run


@dataclass(frozen=True, slots=True)
class Case:
    """What a criterion may look at."""

    run: Run
    phases: tuple[str, ...]
    figures: Figures
    struck: frozenset[str] = frozenset()  # phases in which a fault was injected


@dataclass(frozen=True, slots=True)
class Measured:
    """A criterion's value (None: unknown), the figures behind it, and its target where the run sets it.

    ``lacking``: what the host lacks, so that a miss is NOT AVAILABLE; ``spoilt``: why it is missed whatever the value;
    ``doubt``: what disturbed the measuring, so that a miss is INVALID.
    """

    value: float | None
    figures: tuple[Figure, ...]
    target: float | None = None
    lacking: str = ""
    spoilt: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a criterion is judged. ``compare``: above, below, at least, at most, equal. ``subject`` names the records
    whose disagreement makes it INVALID; a missed one with ``rig`` is the rig's failure, INVALID, not MISSED.
    """

    title: str
    unit: str
    compare: str
    target: float | None
    measure: Callable[[Case], Measured]
    subject: str = ""
    rig: bool = False
    informational: bool = False  # judged only where the mission sets a target
    ceiling: float | None = None  # the best possible value: EXCEEDED counts from it (availability: 100 %)


def figure_of(name: str) -> Callable[[Case], Measured]:
    """A criterion that is one figure."""

    def measure(case: Case) -> Measured:
        figure = case.figures[name]
        return Measured(figure.number, (figure,))

    return measure


def sum_of(*names: str) -> Callable[[Case], Measured]:
    """A criterion that is the sum of figures; unknown when one of them is."""

    def measure(case: Case) -> Measured:
        figures = tuple(case.figures[name] for name in names)
        numbers = [figure.number for figure in figures if figure.number is not None]
        return Measured(sum(numbers) if len(numbers) == len(figures) else None, figures)

    return measure


def worst_of(pattern: str, worst: Callable[[list[float]], float]) -> Callable[[Case], Measured]:
    """The worst over the loaded phases; unknown when any phase lacks it."""

    def measure(case: Case) -> Measured:
        figures = tuple(case.figures[pattern.format(phase=phase)] for phase in case.phases)
        numbers = [figure.number for figure in figures if figure.number is not None]
        return Measured(worst(numbers) if numbers and len(numbers) == len(figures) else None, figures)

    return measure


def all_of(case: Case, start: str, end: str) -> tuple[Figure, ...]:
    """Every figure whose id starts and ends so."""
    return tuple(figure for figure in case.figures if figure.id.startswith(start) and figure.id.endswith(end))
