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


class Hue(enum.Enum):
    """Tells sources apart and means nothing; none is the red that tells of trouble."""

    CYAN = "\x1b[36m"
    MAGENTA = "\x1b[35m"
    BLUE = "\x1b[34m"
    GREEN = "\x1b[32m"
    YELLOW = "\x1b[33m"
    BRIGHT_CYAN = "\x1b[96m"
    BRIGHT_MAGENTA = "\x1b[95m"
    BRIGHT_BLUE = "\x1b[94m"
    BRIGHT_GREEN = "\x1b[92m"
    BRIGHT_YELLOW = "\x1b[93m"


def hue(number: int) -> Hue:
    """The hue of the n-th source; they come round again."""
    return tuple(Hue)[number % len(Hue)]


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


def paint(text: str, tone: Tone | Hue, colour: bool) -> str:
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
