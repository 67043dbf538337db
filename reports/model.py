"""What a report is made of. Renderers only format it; every number in it is a figure's or a record's.

A claim's text has slots in braces that figures and recorded words fill; a digit in the text itself is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

from reports import show
from reports.consistency import Disagreement
from reports.criteria import Judged, Verdict
from reports.figures import Figure, Figures
from reports.history import History

Cell = Figure | str
"""A figure, or words from the records."""

Row = tuple[Cell, ...]

_ALLOWED = re.compile(r"p\d+(\.\d+)?|5xx|4xx|SHA-256|CRC-32C")
"""Names that carry digits and are no numbers."""


class TypedNumberError(ValueError):
    """A template holds a number of its own."""


def refuse_digits(template: str) -> None:
    """Raise TypedNumberError when the text outside the slots holds a digit."""
    literal = "".join(part for part, *_ in Formatter().parse(template))
    if re.search(r"\d", _ALLOWED.sub("", literal)):
        raise TypedNumberError(f"a number is typed in the template {template!r}")


@dataclass(frozen=True)
class Claim:
    """A sentence whose numbers come from figures."""

    text: str
    slots: Mapping[str, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_digits(self.text)

    def words(self) -> str:
        """The sentence with its slots filled."""
        return self.text.format_map({name: cell(item) for name, item in self.slots.items()})


@dataclass(frozen=True)
class Bullets:
    """A list of claims."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Table:
    """Columns and rows; a column named with a unit shows bare numbers."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        for column in self.columns:
            refuse_digits(column)


@dataclass(frozen=True)
class Command:
    """Command lines to type, from the records."""

    lines: tuple[str, ...]


Block = Claim | Bullets | Table | Command


@dataclass(frozen=True)
class Section:
    """A titled part of the report."""

    title: str
    blocks: tuple[Block, ...]
    plots: tuple[str, ...] = ()
    """Names of the plots that belong here, drawn or not."""


@dataclass(frozen=True)
class Report:
    """A run's report: ``gap`` says why the run is not whole, None when it is."""

    name: str
    title: str
    stamp: str
    verdict: Verdict
    gap: str | None
    history: History
    figures: Figures
    criteria: tuple[Judged, ...]
    disagreements: tuple[Disagreement, ...]
    sections: tuple[Section, ...]

    @property
    def headline(self) -> str:
        """The first line: the verdict, and whether the run was whole."""
        return f"{self.verdict.label} ({self.state}): {self.title}"

    @property
    def state(self) -> str:
        """Whole, or INTERRUPTED or ABORTED and why."""
        return "whole run" if self.gap is None else f"{self.history.word.upper()}, {' '.join(self.gap.split())}"


def cell(item: Cell) -> str:
    """A cell in words: a figure with its unit."""
    return show.figure(item) if isinstance(item, Figure) else item


def bare_cell(item: Cell) -> str:
    """A cell of a table: a figure without its unit, which the heading names."""
    return show.bare(item) if isinstance(item, Figure) else item


def row(*cells: Cell) -> Row:
    """A table's row."""
    return cells
