"""Tables as text: columns aligned by two spaces, readable in a terminal and cut by awk alike.  Pure."""

import enum
from collections.abc import Sequence
from typing import NamedTuple

_GAP = "  "
_RESET = "\x1b[0m"


class Tone(enum.Enum):
    """What a text means; colour only repeats it.  The value is its ANSI sequence."""

    PLAIN = ""
    GOOD = "\x1b[32m"
    WARN = "\x1b[33m"
    BAD = "\x1b[31m"
    FAINT = "\x1b[2m"
    STRONG = "\x1b[1m"


class Cell(NamedTuple):
    """A text with its tone."""

    text: str
    tone: Tone = Tone.PLAIN


class Column(NamedTuple):
    """A heading; numbers stand to the right."""

    title: str
    right: bool = False


class Table(NamedTuple):
    """Columns and rows of equal length."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell | str]]


def paint(text: str, tone: Tone, colour: bool) -> str:
    """The text in its tone."""
    return f"{tone.value}{text}{_RESET}" if colour and tone.value and text else text


def layout(table: Table, colour: bool = False, width: int | None = None) -> str:
    """The table's lines.  `width`: what would go beyond it is cut off the last column; None cuts nothing."""
    rows = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in table.rows]
    heads = [Cell(column.title.upper(), Tone.STRONG) for column in table.columns]
    widths = [max(len(row[i].text) for row in (heads, *rows)) for i in range(len(table.columns))]
    if width is not None:
        left = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(left, len(heads[-1].text)))
    return "\n".join(_line(row, table.columns, widths, colour) for row in (heads, *rows))


def _line(cells: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], colour: bool) -> str:
    parts = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        text = cell.text if len(cell.text) <= width else cell.text[: width - 1] + "…"
        padding = " " * (width - len(text))
        painted = paint(text, cell.tone, colour)
        parts.append(padding + painted if column.right else painted + padding)
    return _GAP.join(parts).rstrip()
