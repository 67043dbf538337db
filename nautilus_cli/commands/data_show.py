"""`nautilus data show`."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Annotated

import typer

from engines.data.overview import Move, Overview, overview
from engines.wire.errors import UsageError
from nautilus_cli import flags
from nautilus_cli.console import Block, Console
from nautilus_cli.table import Column, Table
from nautilus_cli.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_BARS = "▁▂▃▄▅▆▇█"

Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="A symbol or the name of a series.")]
Start = Annotated[str, typer.Option("--start", metavar="DAY", help="First day, as 2020-02-19.")]
End = Annotated[str, typer.Option("--end", metavar="DAY", help="Last day, included.")]
Source = Annotated[str, typer.Option("--source", metavar="NAME", help="Which of several series of the symbol.")]
Rows = Annotated[int, typer.Option("--rows", "-n", min=0, max=1_000, help="Rows from each end.")]


@app.command()
def show(
    symbol: Symbol,
    start: Start = "",
    end: End = "",
    source: Source = "",
    rows: Rows = 5,
    as_json: flags.Json = False,
) -> None:
    """Show what is stored of a symbol or series: dates, adjustment, licence, gaps, first and last rows."""
    console = Console(as_json)
    found = overview(symbol, day(start), day(end), source, rows)
    if as_json:
        console.document(found)
        return
    console.show(*_blocks(found))


def day(text: str) -> dt.date | None:
    """The day of a text, None of an empty one.

    Raises:
        UsageError: it is no day.
    """
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day.", "", "Write it as 2020-02-19.") from None


def _blocks(found: Overview) -> list[Block]:
    facts = [
        f"{found.symbol}  {found.title}",
        f"  {found.kind}, {found.frequency}, {found.units}; source {found.source} ({found.licence})",
        f"  {found.adjusted}: {found.adjustment}",
        f"  {found.rights}",
        f"  {count(found.rows, 'row')} from {found.first} to {found.last}, {found.missing} without a value",
        f"  {_gap_line(found)}",
        f"  {_moves(found)}",
        f"  {sketch(found.sketch)}",
    ]
    if found.other_sources:
        facts.append(f"  also: {', '.join(found.other_sources)}")
    columns = tuple(Column(name, right=k > 0) for k, name in enumerate(found.columns))
    gap = [["..."] + [""] * (len(columns) - 1)] if found.tail else []
    return ["\n".join(facts), Table(columns, [*found.head, *gap, *found.tail])]


def _gap_line(found: Overview) -> str:
    if found.gaps is None:
        return "not compared with the exchange's calendar"
    dots = " ..." if (found.gap_count or 0) > len(found.gaps) else ""
    days = f" ({', '.join(found.gaps)}{dots})" if found.gaps else ""
    missing = count(found.gap_count or 0, "session")
    return f"{missing} missing{days}, {found.extra_count} rows on other days (XNYS, since 1970)"


def _moves(found: Overview) -> str:
    if found.worst is None or found.best is None:
        return found.note
    return f"worst day {_move(found.worst)}, best day {_move(found.best)}"


def _move(move: Move) -> str:
    return f"{move.date} {move.percent:+.2f} %"


def sketch(values: Sequence[float]) -> str:
    """The course of the values in eight heights; a missing one is a space."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    return "".join(_BARS[min(7, int(8 * (value - low) / span))] if math.isfinite(value) else " " for value in values)
